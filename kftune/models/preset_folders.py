"""Reads backbones, preprocessors and saved tasks out of preset folders."""

import contextlib

import keras
import keras_hub
import safetensors

from kftune.models.converters.hf_bart import BART, read_bart_tokenizer
from kftune.models.converters.hf_bert import read_bert_backbone, read_bert_tokenizer
from kftune.models.converters.hf_decoding import read_decoding_settings
from kftune.models.converters.hf_files import read_json
from kftune.models.converters.hf_gpt2 import read_gpt2_backbone, read_gpt2_tokenizer
from kftune.models.converters.hf_m2m100 import M2M100, read_m2m100_tokenizer
from kftune.models.converters.hf_marian import MARIAN, read_marian_tokenizer
from kftune.models.decoding_settings import DecodingSettings
from kftune.models.gpt2.gpt2_text_classifier_preprocessor import (
    GPT2TextClassifierPreprocessor,
)
from kftune.models.preset_catalog import locate
from kftune.models.text_classifier_preprocessor import TextClassifierPreprocessor
from kftune.models.tokenizers.translation_tokenizer import TranslationTokenizer

_BACKBONES = {
    "bart": BART.read_backbone,
    "bert": read_bert_backbone,
    "gpt2": read_gpt2_backbone,
    "m2m_100": M2M100.read_backbone,
    "marian": MARIAN.read_backbone,
}
_TOKENIZERS = {
    "bart": read_bart_tokenizer,
    "bert": read_bert_tokenizer,
    "gpt2": read_gpt2_tokenizer,
    "m2m_100": read_m2m100_tokenizer,
    "marian": read_marian_tokenizer,
}
# Encoders of these models were trained on texts with an end token alone.
_NO_START = (keras_hub.models.T5Tokenizer, TranslationTokenizer)


def load_backbone(preset, *, load_weights=True, dtype=None, offline=False):
    """Loads the backbone of a preset.

    Args:
        preset: `str` or `Path`, see `locate`.
        load_weights: `bool`. False gives random weights.
        dtype: `str`, dtype policy or `None` for Keras's own.
        offline: `bool`. True: what is on this machine or an error, no network.

    Returns:
        `keras_hub.models.Backbone`.

    Raises:
        FileNotFoundError: if a file is missing, or if `offline` and the preset is not
            on this machine.
        ConnectionError: if the preset could not be fetched.
        ValueError: if there is no such preset or its files are broken, or of a model
            that cannot be read.

    Example:
    ```python
    backbone = kftune.models.load_backbone("minilm_l6")
    ```
    """
    folder = locate(preset, offline=offline)
    with clear_errors(folder):
        model_type = hugging_face_type(folder)
        if model_type in _BACKBONES:
            read = _BACKBONES[model_type]
            return read(folder, load_weights=load_weights, dtype=dtype)
        return keras_hub.models.Backbone.from_preset(
            str(folder), load_weights=load_weights, dtype=dtype
        )


def load_preprocessor(preset, *, sequence_length=None, offline=False):
    """Loads the tokenizer of a preset in a preprocessor for classifiers.

    A preprocessor that kftune saved comes back as it was. Texts for other presets get
    start and end token where the tokenizer has them, but not for GPT-2 checkpoints
    from Hugging Face, and for T5 the end token alone, as these were trained.

    Args:
        preset: `str` or `Path`, see `locate`.
        sequence_length: `int` or `None`. Length of the packed rows in tokens. `None`
            keeps what was saved, or leaves it to the task.
        offline: `bool`. True: what is on this machine or an error, no network.

    Returns:
        `TextClassifierPreprocessor`.

    Raises:
        FileNotFoundError: as in `load_backbone`.
        ConnectionError: as in `load_backbone`.
        ValueError: as in `load_backbone`.

    Example:
    ```python
    rows = kftune.models.load_preprocessor("minilm_l6", sequence_length=256)
    rows.tokenize_rows(["A good film."])
    ```
    """
    folder = locate(preset, offline=offline)
    with clear_errors(folder):
        saved = _saved_config(folder, "preprocessor.json")
        if saved is None:
            return _new_preprocessor(folder, sequence_length)
        if sequence_length is not None:
            saved["config"]["sequence_length"] = sequence_length
        preprocessor = keras.saving.deserialize_keras_object(saved)
        preprocessor.load_preset_assets(str(folder))
        return preprocessor


def load_tokenizer(preset, *, offline=False):
    """Loads the tokenizer of a preset.

    Args:
        preset: `str` or `Path`, see `locate`.
        offline: `bool`. True: what is on this machine or an error, no network.

    Returns:
        `keras_hub.tokenizers.Tokenizer`.

    Raises:
        FileNotFoundError: as in `load_backbone`.
        ConnectionError: as in `load_backbone`.
        ValueError: as in `load_backbone`.

    Example:
    ```python
    tokenizer = kftune.models.load_tokenizer("gpt2_tiny_en")
    tokenizer(["A good film."])
    ```
    """
    folder = locate(preset, offline=offline)
    with clear_errors(folder):
        model_type = hugging_face_type(folder)
        if model_type in _TOKENIZERS:
            tokenizer = _TOKENIZERS[model_type](folder)
            _check_ids(tokenizer, folder)
            return tokenizer
        saved = _saved_config(folder, "tokenizer.json")
        if saved is None:
            return keras_hub.models.Tokenizer.from_preset(str(folder))
        tokenizer = keras.saving.deserialize_keras_object(saved)
        tokenizer.load_preset_assets(str(folder))
        return tokenizer


def load_decoding_settings(preset, *, offline=False):
    """Loads what a Hugging Face checkpoint says of decoding.

    Args:
        preset: `str` or `Path`, see `locate`.
        offline: `bool`. True: what is on this machine or an error, no network.

    Returns:
        `DecodingSettings`; for a KerasHub preset they state nothing.

    Raises:
        FileNotFoundError: as in `load_backbone`.
        ConnectionError: as in `load_backbone`.
        ValueError: as in `load_backbone`.
    """
    folder = locate(preset, offline=offline)
    with clear_errors(folder):
        if hugging_face_type(folder) is None:
            return DecodingSettings()
        return read_decoding_settings(folder)


def is_saved_task(folder):
    """Tells whether kftune saved a task with its head in a folder.

    Args:
        folder: `Path`.

    Returns:
        `bool`.

    Raises:
        ValueError: if `task.json` is broken.
    """
    with clear_errors(folder):
        return _saved_config(folder, "task.json") is not None


def read_task(folder, *, load_weights=True, dtype=None):
    """Reads a task that kftune saved with its head.

    Args:
        folder: `Path` of a preset folder, see `is_saved_task`.
        load_weights: `bool`. False gives random weights.
        dtype: `str`, dtype policy or `None` for the one that was saved, of the
            backbone.

    Returns:
        The task, compiled with its default loss.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is broken.
    """
    with clear_errors(folder):
        saved = _saved_config(folder, "task.json")
        if dtype is not None:
            saved["config"]["backbone"]["config"]["dtype"] = dtype
        task = keras.saving.deserialize_keras_object(saved)
        if task.preprocessor is not None:
            task.preprocessor.load_preset_assets(str(folder))
        if load_weights:
            task.load_task_weights(str(folder / "task.weights.h5"))
            one = folder / "model.weights.h5"
            several = folder / "model.weights.json"
            task.backbone.load_weights(str(one if one.exists() else several))
        return task


def hugging_face_type(folder):
    """Tells which Hugging Face model a folder holds.

    Args:
        folder: `Path`.

    Returns:
        `str`, such as `"gpt2"`, or `None` if it is a KerasHub preset.

    Raises:
        FileNotFoundError: if there is no `config.json`.
        ValueError: if `config.json` is of neither kind.
    """
    config = read_json(folder, "config.json")
    if "registered_name" in config:
        return None
    if "model_type" not in config:
        raise ValueError(
            "Expected a KerasHub preset or a Hugging Face model. Received: config.json "
            f"with neither registered_name nor model_type, but {sorted(config)}"
        )
    return config["model_type"]


@contextlib.contextmanager
def clear_errors(folder):
    """Turns whatever a reader meets in broken files into one error with the folder.

    Args:
        folder: `Path` that is being read.

    Yields:
        Nothing.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is broken or of another model.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"Expected a complete model in {folder}. Nothing was loaded. "
            f"Received: {error}"
        ) from error
    except (
        AttributeError,
        KeyError,
        OSError,
        TypeError,
        ValueError,
        safetensors.SafetensorError,
    ) as error:
        raise ValueError(
            f"Expected a model that can be read in {folder}. Nothing was loaded. "
            f"Received: {type(error).__name__}: {error}"
        ) from error


def _saved_config(folder, name):
    """A config that kftune saved, or `None`."""
    if not (folder / name).is_file():
        return None
    config = read_json(folder, name)
    return config if config["registered_name"].startswith("kftune>") else None


def _check_ids(tokenizer, folder):
    """Refuses a vocabulary that the embedding has not enough rows for.

    `<mask>` may be beyond: BART's summarisers were published without its row.
    """
    config = read_json(folder, "config.json")
    sizes = [config.get(name) for name in ("vocab_size", "decoder_vocab_size")]
    rows = max(size for size in sizes if size is not None)
    beyond = map(tokenizer.id_to_token, range(rows, tokenizer.vocabulary_size()))
    extra = [token for token in beyond if token != "<mask>"]
    if extra:
        raise ValueError(
            f"Expected a vocabulary of at most {rows} tokens, as config.json tells. "
            f"Received {len(extra)} more: {', '.join(map(repr, extra[:5]))}"
        )


def _new_preprocessor(folder, sequence_length):
    tokenizer = load_tokenizer(folder)
    if isinstance(tokenizer, keras_hub.models.GPT2Tokenizer):
        wrap = hugging_face_type(folder) is None
        return GPT2TextClassifierPreprocessor(tokenizer, sequence_length, wrap, wrap)
    has_start = not isinstance(tokenizer, _NO_START)
    return TextClassifierPreprocessor(tokenizer, sequence_length, has_start)
