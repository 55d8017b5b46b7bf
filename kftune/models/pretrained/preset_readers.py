"""Reads backbones and tokenizers out of folders, whatever wrote them."""

import keras
import keras_hub

from kftune.models.converters.hf_files import read_json
from kftune.models.pretrained.preset_files import (
    hugging_face_type,
    read_keras_hub_backbone,
)

# Readers of Hugging Face folders by model_type. The classes that they make come here
# from their from_preset, so `preset_folders` and `preset_tokenizers` fill these in.
BACKBONE_READERS = {}
TOKENIZER_READERS = {}


def read_backbone(folder, *, load_weights=True, dtype=None):
    """Reads the backbone of a preset folder.

    Args:
        folder: `Path`, of KerasHub, kftune or Hugging Face.
        load_weights: `bool`. False gives random weights.
        dtype: `str`, dtype policy or `None` for Keras's own.

    Returns:
        `keras_hub.models.Backbone`; a GPT-2 or BART that KerasHub wrote is KerasHub's.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is broken, or of a model that cannot be read.
    """
    model_type = hugging_face_type(folder)
    if model_type is None:
        read = read_keras_hub_backbone
    elif model_type in BACKBONE_READERS:
        read = BACKBONE_READERS[model_type]
    else:
        read, folder = keras_hub.models.Backbone.from_preset, str(folder)
    return read(folder, load_weights=load_weights, dtype=dtype)


def read_tokenizer(folder):
    """Reads the tokenizer of a preset folder.

    Args:
        folder: `Path`, of KerasHub, kftune or Hugging Face.

    Returns:
        `keras_hub.tokenizers.Tokenizer`.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is broken, or the embedding has too few rows.
    """
    model_type = hugging_face_type(folder)
    if model_type in TOKENIZER_READERS:
        tokenizer = TOKENIZER_READERS[model_type](folder)
        _check_ids(tokenizer, folder)
        return tokenizer
    if model_type is not None:
        return keras_hub.models.Tokenizer.from_preset(str(folder))
    saved = read_json(folder, "tokenizer.json")
    tokenizer = keras.saving.deserialize_keras_object(saved)
    tokenizer.load_preset_assets(str(folder))
    return tokenizer


def check_class(cls, made, expected, folder, instead=""):
    """Checks that what a preset brings is what a class takes.

    Args:
        cls: class that `from_preset` was called of.
        made: backbone or tokenizer that was read.
        expected: tuple of the classes that it may be of, the one to name first.
        folder: `Path`, for the message.
        instead: `str`. What takes every model.

    Raises:
        ValueError: if it is of another class.
    """
    if not isinstance(made, expected):
        advice = f". {instead} takes every text model." if instead else ""
        raise ValueError(
            f"Expected a {expected[0].__name__} in {folder} for {cls.__name__}. "
            f"Received: {type(made).__name__}{advice}"
        )


def _check_ids(tokenizer, folder):
    """Refuses a vocabulary that the embedding has not enough rows for.

    `<mask>` may be beyond: BART's summarisers were published without its row.
    """
    config = read_json(folder, "config.json")
    source_rows = config["vocab_size"]
    rows = config.get("decoder_vocab_size") or source_rows
    beyond = map(tokenizer.id_to_token, range(rows, tokenizer.vocabulary_size()))
    extra = [token for token in beyond if token != "<mask>"]
    if extra:
        raise ValueError(
            f"Expected a vocabulary of at most {rows} tokens, as config.json tells. "
            f"Received {len(extra)} more: {', '.join(map(repr, extra[:5]))}"
        )
    if hasattr(tokenizer, "source_vocabulary_size"):  # its sides may differ
        size = tokenizer.source_vocabulary_size()
        if size > source_rows:
            raise ValueError(
                f"Expected a source vocabulary of at most {source_rows} tokens, as "
                f"config.json tells. Received: ids up to {size - 1}"
            )
