"""Reads backbones, tokenizers and preprocessors out of preset folders."""

import keras
import keras_hub

from kftune.models.converters.from_keras_hub import our_backbone
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
from kftune.models.preset_files import (
    clear_errors,
    hugging_face_type,
    read_keras_hub_backbone,
    registered_class,
    saved_config,
)
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

    GPT-2, BART, Marian and M2M100 come as `GPT2Backbone` and `TransformerBackbone` of
    kftune, other models as KerasHub's.

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
        backbone = read_keras_hub_backbone(
            folder, load_weights=load_weights, dtype=dtype
        )
        return our_backbone(backbone)


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
        saved = saved_config(folder, "preprocessor.json")
        if saved is None or not issubclass(
            registered_class(saved), TextClassifierPreprocessor
        ):
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
        if model_type is not None:
            return keras_hub.models.Tokenizer.from_preset(str(folder))
        saved = read_json(folder, "tokenizer.json")
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
