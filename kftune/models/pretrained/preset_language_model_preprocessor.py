"""`from_preset` of the preprocessors of language models."""

from kftune.models.converters.hf_files import read_json_if_there
from kftune.models.pretrained.preset_catalog import locate
from kftune.models.pretrained.preset_files import clear_errors
from kftune.models.pretrained.preset_readers import check_class, read_tokenizer


class PresetLanguageModelPreprocessor:
    """Mixin for preprocessors of language models that are made from presets.

    Attributes:
        read_classes: tuple of `str`, names of the classes, KerasHub's among them, whose
            saved settings the class takes as its own.
    """

    read_classes = ()

    @classmethod
    def from_preset(cls, preset, *, offline=False, **options):
        """Makes a preprocessor with the tokenizer of a preset, or loads a saved one.

        Args:
            preset: `str` or `Path`. A name (see `kftune.models.presets`), a KerasHub
                name, `hf://owner/name`, or a local folder of KerasHub or Hugging Face.
            offline: `bool`. True: what is on this machine or an error, no network.
            **options: Arguments of the class but the tokenizer, in place of what was
                saved.

        Returns:
            A preprocessor of this class. Lengths that were not saved are those of the
            class; `from_preset` of the task shortens them to what its backbone takes.

        Raises:
            FileNotFoundError: if a file is missing, or if `offline` and the preset is
                not on this machine.
            ConnectionError: if the preset could not be fetched.
            ValueError: if there is no such preset, its files are broken, or its
                tokenizer is none that the class takes.

        Example:
        ```python
        pack = kftune.models.GPT2CausalLMPreprocessor.from_preset("gpt2_tiny_en")
        x, y, sample_weight = pack(["A good film."])
        ```
        """
        folder = locate(preset, offline=offline)
        with clear_errors(folder):
            saved = read_json_if_there(folder, "preprocessor.json")
            if saved.get("class_name") in cls.read_classes:
                preprocessor = cls.from_config({**saved["config"], **options})
                preprocessor.load_preset_assets(str(folder))
            else:
                preprocessor = cls(read_tokenizer(folder), **options)
        if cls.tokenizer_cls:
            check_class(cls, preprocessor.tokenizer, (cls.tokenizer_cls,), folder)
        return preprocessor
