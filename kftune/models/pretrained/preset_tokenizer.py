"""`from_preset` of the tokenizers."""

from kftune.models.pretrained.preset_catalog import locate
from kftune.models.pretrained.preset_files import clear_errors
from kftune.models.pretrained.preset_readers import check_class, read_tokenizer


class PresetTokenizer:
    """Mixin for tokenizers that are made from presets."""

    @classmethod
    def from_preset(cls, preset, *, offline=False):
        """Makes a tokenizer with the vocabulary of a preset.

        Args:
            preset: `str` or `Path`. A name (see `kftune.models.presets`), a KerasHub
                name, `hf://owner/name`, or a local folder of KerasHub or Hugging Face.
            offline: `bool`. True: what is on this machine or an error, no network.

        Returns:
            A tokenizer of this class.

        Raises:
            FileNotFoundError: if a file is missing, or if `offline` and the preset is
                not on this machine.
            ConnectionError: if the preset could not be fetched.
            ValueError: if there is no such preset, its files are broken, or it is of
                another model. `kftune.models.load_tokenizer` takes every model.

        Example:
        ```python
        kftune.models.MarianTokenizer.from_preset("hf://Helsinki-NLP/opus-mt-en-de")
        ```
        """
        folder = locate(preset, offline=offline)
        with clear_errors(folder):
            tokenizer = read_tokenizer(folder)
        check_class(cls, tokenizer, (cls,), folder, "kftune.models.load_tokenizer")
        return tokenizer
