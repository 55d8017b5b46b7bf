"""Reads Hugging Face folders with a BERT."""

import keras_hub

from kftune.models.bert.exact_gelu_bert_backbone import ExactGeluBertBackbone
from kftune.models.converters.hf_files import (
    check_settings,
    read_json,
    safetensors_folder,
)

_COMPUTED_HERE = {
    "hidden_act": ("gelu", "gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_eps": (1e-12,),
    "position_embedding_type": ("absolute",),
    "type_vocab_size": (2,),
}


def read_bert_backbone(folder, *, load_weights=True, dtype=None):
    """Reads a BERT backbone with the activation it was trained with.

    Args:
        folder: `Path` with `config.json` and safetensors or `pytorch_model.bin`.
        load_weights: `bool`. False gives random weights.
        dtype: `str`, dtype policy or `None` for Keras's own.

    Returns:
        `ExactGeluBertBackbone`, or `keras_hub.models.BertBackbone` where the checkpoint
        approximates GELU as that one does.

    Raises:
        FileNotFoundError: if there are no weights to read.
        ValueError: if the model computes something that KerasHub's BERT does not.
    """
    config = read_json(folder, "config.json")
    check_settings(config, _COMPUTED_HERE, folder)
    with safetensors_folder(folder) as readable:
        backbone = keras_hub.models.BertBackbone.from_preset(
            str(readable), load_weights=load_weights, dtype=dtype
        )
    if config.get("hidden_act", "gelu") != "gelu":
        return backbone
    exact = ExactGeluBertBackbone.from_config(backbone.get_config())
    exact.set_weights(backbone.get_weights())
    return exact


def read_bert_tokenizer(folder):
    """Reads BERT's vocabulary; lower-case models lose accents, as in transformers.

    Args:
        folder: `Path` with `vocab.txt` and `tokenizer_config.json`.

    Returns:
        `keras_hub.models.BertTokenizer`.
    """
    config = read_json(folder, "tokenizer_config.json")
    strip_accents = config.get("strip_accents")
    if strip_accents is None:
        strip_accents = config["do_lower_case"]
    return keras_hub.models.BertTokenizer.from_preset(
        str(folder), strip_accents=strip_accents
    )
