"""Reads Hugging Face folders with a BERT."""

import dataclasses

import keras
import keras_hub

from kftune.models.bert.exact_gelu_bert_backbone import ExactGeluBertBackbone
from kftune.models.converters.hf_cutting import bert_options
from kftune.models.converters.hf_files import check_settings, read_json
from kftune.models.converters.tensor_row import TensorRow, dense_rows, norm_rows
from kftune.models.converters.tensor_table import TensorTable, load_tensors

_SETTINGS = {
    "vocab_size": "vocabulary_size",
    "hidden_size": "hidden_dim",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "intermediate_size": "intermediate_dim",
    "max_position_embeddings": "max_sequence_length",
}
_COMPUTED_HERE = {
    "hidden_act": ("gelu", "gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_eps": (1e-12,),
    "position_embedding_type": ("absolute",),
    "type_vocab_size": (2,),
}
_PREFIX = "bert."
# Heads of other tasks, and numbers of positions, which old checkpoints hold.
_IGNORED = r"(?!embeddings\.|encoder\.|pooler\.).*|embeddings\.position_ids"


def _old_norm_rows(name, path):
    """Rows of a norm, whose weights the first checkpoints call gamma and beta."""
    make_rows = norm_rows(name, path)

    def rows(prefix, block):
        return [
            dataclasses.replace(row, copies=(f"{prefix}{name}.{row.weight}",))
            for row in make_rows(prefix, block)
        ]

    return rows


_BLOCK = [
    dense_rows("attention.self.query", "_self_attention_layer.query_dense"),
    dense_rows("attention.self.key", "_self_attention_layer.key_dense"),
    dense_rows("attention.self.value", "_self_attention_layer.value_dense"),
    dense_rows(
        "attention.output.dense", "_self_attention_layer.output_dense", input_axes=2
    ),
    _old_norm_rows("attention.output.LayerNorm", "_self_attention_layer_norm"),
    dense_rows("intermediate.dense", "_feedforward_intermediate_dense"),
    dense_rows("output.dense", "_feedforward_output_dense"),
    _old_norm_rows("output.LayerNorm", "_feedforward_layer_norm"),
]
_EMBEDDINGS = {
    "word": ("token_embedding", "embeddings"),
    "position": ("position_embedding", "position_embeddings"),
    "token_type": ("segment_embedding", "embeddings"),
}


def read_bert_backbone(folder, *, load_weights=True, dtype=None):
    """Reads a BERT backbone with the activation it was trained with.

    A pooler that the checkpoint lacks is zeros; `TextClassifier` uses none.

    Args:
        folder: `Path` with `config.json` and safetensors or `pytorch_model.bin`.
        load_weights: `bool`. False gives random weights.
        dtype: `str`, dtype policy or `None` for Keras's own.

    Returns:
        `ExactGeluBertBackbone`, or `keras_hub.models.BertBackbone` where the checkpoint
        approximates GELU as that one does.

    Raises:
        FileNotFoundError: if there are no weights to read.
        ValueError: if the model computes something that KerasHub's BERT does not, or if
            tensors are missing, of another shape, or more than the model has; lists
            them all.
    """
    config = read_json(folder, "config.json")
    check_settings(config, _COMPUTED_HERE, folder)
    is_exact = config.get("hidden_act", "gelu") == "gelu"
    cls = ExactGeluBertBackbone if is_exact else keras_hub.models.BertBackbone
    backbone = cls(
        **{ours: config[theirs] for theirs, ours in _SETTINGS.items()},
        dropout=config.get("hidden_dropout_prob", 0.1),
        dtype=dtype,
    )
    if load_weights:
        # Models that were only pretrained by masking have none.
        for weight in backbone.pooled_dense.weights:
            weight.assign(keras.ops.zeros(weight.shape))
        load_tensors(bert_table(backbone), folder)
    return backbone


def bert_table(backbone):
    """Makes the table between a file with a BERT and a backbone.

    Args:
        backbone: `keras_hub.models.BertBackbone`.

    Returns:
        `TensorTable`.
    """
    rows = [
        TensorRow(
            f"{_PREFIX}embeddings.{name}_embeddings.weight",
            (getattr(backbone, layer),),
            weight,
            input_axes=1,
        )
        for name, (layer, weight) in _EMBEDDINGS.items()
    ]
    rows += _old_norm_rows("embeddings.LayerNorm", "embeddings_layer_norm")(
        _PREFIX, backbone
    )
    for index, block in enumerate(backbone.transformer_layers):
        for make_rows in _BLOCK:
            rows += make_rows(f"{_PREFIX}encoder.layer.{index}.", block)
    rows += [
        dataclasses.replace(row, optional=True)
        for row in dense_rows("pooler.dense", "pooled_dense")(_PREFIX, backbone)
    ]
    return TensorTable(rows, _PREFIX, ignored=_IGNORED)


def read_bert_tokenizer(folder, cls=keras_hub.models.BertTokenizer):
    """Reads BERT's vocabulary; lower-case models lose accents, as in transformers.

    Args:
        folder: `Path` with `vocab.txt`, or with the `tokenizer.json` that transformers
            5 writes in its place; and `tokenizer_config.json`, if it is not as usual.
        cls: class of the tokenizer, for models that cut texts as BERT does.

    Returns:
        `keras_hub.models.BertTokenizer`, or a `cls`.

    Raises:
        FileNotFoundError: if there is neither file.
        ValueError: if texts are cut otherwise than here; lists what differs.
    """
    options = bert_options(folder)
    if (folder / "vocab.txt").is_file():
        vocabulary = str(folder / "vocab.txt")
    else:
        ids = read_json(folder, "tokenizer.json")["model"]["vocab"]
        vocabulary = sorted(ids, key=ids.get)
    return cls(vocabulary, **options)
