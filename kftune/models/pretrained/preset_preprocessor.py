"""`from_preset` of the preprocessors."""

import keras
import keras_hub

from kftune.models.pretrained.preset_catalog import locate
from kftune.models.pretrained.preset_files import (
    clear_errors,
    hugging_face_type,
    registered_class,
    saved_config,
)
from kftune.models.pretrained.preset_readers import check_class
from kftune.models.pretrained.preset_tokenizers import load_tokenizer
from kftune.models.tokenizers.translation_tokenizer import TranslationTokenizer

# Encoders of these models were trained on texts with an end token alone.
_NO_START = (keras_hub.models.T5Tokenizer, TranslationTokenizer)


class PresetPreprocessor:
    """Mixin for preprocessors of classifiers that are made from presets."""

    @classmethod
    def from_preset(
        cls,
        preset,
        *,
        sequence_length=None,
        add_start_token=None,
        add_end_token=None,
        truncate=None,
        offline=False,
    ):
        """Makes a preprocessor with the tokenizer of a preset, or loads a saved one.

        A preprocessor that kftune saved comes back as it was. Texts for other presets
        get start and end token where the tokenizer has them, but not for GPT-2
        checkpoints from Hugging Face, and for T5 the end token alone, as these were
        trained.

        Args:
            preset: `str` or `Path`. A name (see `kftune.models.presets`), a KerasHub
                name, `hf://owner/name`, or a local folder of KerasHub or Hugging Face.
            sequence_length: `int` or `None`. Tokens a text may have. `None` keeps what
                was saved, or leaves it to the task.
            add_start_token: `bool` or `None`. `None` keeps what is said above.
            add_end_token: `bool` or `None`. `None` keeps what is said above.
            truncate: `str` or `None`. `"right"` or `"left"`; `None` keeps what was
                saved, else `"right"`.
            offline: `bool`. True: what is on this machine or an error, no network.

        Returns:
            `GPT2TextClassifierPreprocessor` for a GPT-2, else a
            `TextClassifierPreprocessor`.

        Raises:
            FileNotFoundError: if a file is missing, or if `offline` and the preset is
                not on this machine.
            ConnectionError: if the preset could not be fetched.
            ValueError: if there is no such preset, its files are broken, or it is of
                another model than the class.

        Example:
        ```python
        pack = kftune.models.TextClassifierPreprocessor.from_preset("gpt2_tiny_en")
        pack.tokenize_rows(["A good film."])
        ```
        """
        folder = locate(preset, offline=offline)
        options = {
            "sequence_length": sequence_length,
            "add_start_token": add_start_token,
            "add_end_token": add_end_token,
            "truncate": truncate,
        }
        options = {name: value for name, value in options.items() if value is not None}
        with clear_errors(folder):
            saved = saved_config(folder, "preprocessor.json")
            if saved is None or not issubclass(
                registered_class(saved), PresetPreprocessor
            ):
                preprocessor = _new(cls, folder, options)
            else:
                preprocessor = _saved(saved, folder, options)
        if cls.tokenizer_cls:
            every = "kftune.models.TextClassifierPreprocessor"
            wanted = (cls.tokenizer_cls,)
            check_class(cls, preprocessor.tokenizer, wanted, folder, every)
        return preprocessor


def _saved(saved, folder, options):
    """A preprocessor that kftune saved."""
    saved["config"].update(options)
    preprocessor = keras.saving.deserialize_keras_object(saved)
    preprocessor.load_preset_assets(str(folder))
    return preprocessor


def _new(cls, folder, options):
    """A preprocessor of the class that is made for the tokenizer of a preset."""
    tokenizer = load_tokenizer(folder)
    for special in cls.__subclasses__():
        if special.tokenizer_cls and isinstance(tokenizer, special.tokenizer_cls):
            cls = special
    return cls(tokenizer, **{**_trained_with(tokenizer, folder), **options})


def _trained_with(tokenizer, folder):
    """Which of start and end token a pretrained model knows around its texts."""
    if isinstance(tokenizer, keras_hub.models.GPT2Tokenizer):
        wrap = hugging_face_type(folder) is None
        return {"add_start_token": wrap, "add_end_token": wrap}
    known = {
        f"add_{kind}_token": getattr(tokenizer, f"{kind}_token_id", None) is not None
        for kind in ("start", "end")
    }
    if isinstance(tokenizer, _NO_START):
        known["add_start_token"] = False
    return known
