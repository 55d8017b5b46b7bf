"""Reads Hugging Face folders with a GPT-2, with or without a classification head."""

import warnings

import keras_hub

from kftune.models.converters.hf_byte_pairs import read_byte_pairs
from kftune.models.converters.hf_cutting import byte_level_options
from kftune.models.converters.hf_files import (
    check_settings,
    read_json,
    read_json_if_there,
    read_tensor,
    safetensors_folder,
    tensor_shapes,
)
from kftune.models.converters.tensor_row import TensorRow, dense_rows, norm_rows
from kftune.models.converters.tensor_table import TensorTable, load_tensors
from kftune.models.decoding_settings import DecodingSettings
from kftune.models.gpt2.gpt2_backbone import GPT2Backbone
from kftune.models.gpt2.own_ends_gpt2_tokenizer import OwnEndsGPT2Tokenizer

_END = "<|endoftext|>"
_HEAD = "score.weight"
_SETTINGS = {
    "vocab_size": "vocabulary_size",
    "n_embd": "hidden_dim",
    "n_layer": "num_layers",
    "n_head": "num_heads",
    "n_positions": "max_sequence_length",
    "resid_pdrop": "dropout",
}
_DROPOUTS = ("resid_pdrop", "attn_pdrop", "embd_pdrop")
_COMPUTED_HERE = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}
_QUERY_KEY_VALUE = tuple(
    f"_self_attention_layer._{name}_dense" for name in ("query", "key", "value")
)
_BLOCK = [
    norm_rows("ln_1", "_self_attention_layer_norm"),
    dense_rows("attn.c_attn", _QUERY_KEY_VALUE, transposed=False),
    dense_rows(
        "attn.c_proj",
        "_self_attention_layer._output_dense",
        input_axes=2,
        transposed=False,
    ),
    norm_rows("ln_2", "_feedforward_layer_norm"),
    dense_rows("mlp.c_fc", "_feedforward_intermediate_dense", transposed=False),
    dense_rows("mlp.c_proj", "_feedforward_output_dense", transposed=False),
]
# Heads of other tasks; and causal masks, which old checkpoints hold as h.0.attn.bias.
_IGNORED = r"(?!h\.|wte\.|wpe\.|ln_f\.).*|h\.\d+\.attn\.(masked_)?bias"


def read_gpt2_backbone(folder, *, load_weights=True, dtype=None):
    """Reads a GPT-2 backbone and checks first that all of it fits.

    Args:
        folder: `Path` with `config.json` and safetensors or `pytorch_model.bin`.
        load_weights: `bool`. False gives random weights.
        dtype: `str`, dtype policy or `None` for Keras's own.

    Returns:
        `kftune.models.GPT2Backbone`.

    Raises:
        FileNotFoundError: if there are no weights to read.
        ValueError: if the model computes something that our GPT-2 does not, or if
            tensors are missing, of another shape, or more than the model has; lists
            them all.
    """
    config = read_json(folder, "config.json")
    check_settings(config, _COMPUTED_HERE, folder)
    _tell_of_one_dropout(config, folder)
    backbone = GPT2Backbone(
        **{ours: config[theirs] for theirs, ours in _SETTINGS.items()},
        intermediate_dim=config.get("n_inner") or 4 * config["n_embd"],
        dtype=dtype,
    )
    if load_weights:
        load_tensors(gpt2_table(backbone), folder)
    return backbone


def gpt2_config(backbone):
    """Gives what `config.json` says of the architecture.

    Args:
        backbone: GPT-2 of kftune or of KerasHub.

    Returns:
        `dict`.
    """
    return {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        **{theirs: getattr(backbone, ours) for theirs, ours in _SETTINGS.items()},
        "n_inner": backbone.intermediate_dim,
        "embd_pdrop": backbone.dropout,
        "attn_pdrop": backbone.dropout,
        **{theirs: values[0] for theirs, values in _COMPUTED_HERE.items()},
    }


def gpt2_table(backbone):
    """Makes the table between a file with a GPT-2 and a backbone.

    Args:
        backbone: GPT-2 of kftune or of KerasHub.

    Returns:
        `TensorTable`.
    """
    tokens, positions = (backbone.token_embedding,), (backbone.position_embedding,)
    copies = ("lm_head.weight",)
    prefix = "transformer."
    rows = [
        TensorRow(f"{prefix}wte.weight", tokens, "embeddings", 1, copies=copies),
        TensorRow(f"{prefix}wpe.weight", positions, "position_embeddings", 1),
        *norm_rows("ln_f", "layer_norm")(prefix, backbone),
    ]
    for index, block in enumerate(backbone.transformer_layers):
        for make_rows in _BLOCK:
            rows += make_rows(f"{prefix}h.{index}.", block)
    return TensorTable(rows, prefix, ignored=_IGNORED)


def read_gpt2_tokenizer(folder):
    """Reads GPT-2's vocabulary and merges.

    Args:
        folder: `Path` with `vocab.json` and `merges.txt`, or with `tokenizer.json`.

    Returns:
        `keras_hub.models.GPT2Tokenizer`; an `OwnEndsGPT2Tokenizer` where
        `generation_config.json` or `config.json` name other ends than
        `<|endoftext|>`.

    Raises:
        FileNotFoundError: if there is neither.
        ValueError: if `tokenizer.json` holds no byte-pair vocabulary, or cuts texts
            otherwise than GPT-2 does.
    """
    options = byte_level_options(folder)
    vocabulary, merges, added = read_byte_pairs(folder)
    end, stops = _ends(folder, vocabulary, added)
    whole = sorted({end, *added, *({_END} & vocabulary.keys())})
    if end == _END and stops == [vocabulary.get(_END)]:
        return keras_hub.models.GPT2Tokenizer(
            vocabulary, merges, unsplittable_tokens=whole, **options
        )
    return OwnEndsGPT2Tokenizer(
        vocabulary,
        merges,
        start_token=_END if _END in vocabulary else end,
        end_token=end,
        stop_token_ids=stops,
        unsplittable_tokens=whole,
        **options,
    )


def gpt2_head_options(folder):
    """Tells what head the checkpoint has, as arguments of a `GPT2TextClassifier`.

    Args:
        folder: `Path` of a Hugging Face folder with a GPT-2.

    Returns:
        `dict`, empty if the checkpoint has no `score.weight`.
    """
    with safetensors_folder(folder) as readable:
        shape = tensor_shapes(readable).get(_HEAD)
    if shape is None:
        return {}
    config = read_json(folder, "config.json")
    one = "regression" if shape[0] == 1 else "single_label_classification"
    return {
        "num_classes": shape[0],
        "problem_type": config.get("problem_type") or one,
        "label_names": _label_names(config, shape[0]),
        "use_bias": False,
        "dropout": 0.0,
    }


def load_gpt2_head(head, folder):
    """Loads `score.weight` into a head that was made with `gpt2_head_options`.

    Args:
        head: `DenseHead`.
        folder: `Path` of a Hugging Face folder with a GPT-2 classifier.
    """
    with safetensors_folder(folder) as readable:
        kernel = read_tensor(readable, _HEAD).T  # (D, C)
    head.output_dense.kernel.assign(kernel.astype("float32"))


def _tell_of_one_dropout(config, folder):
    rates = {name: config[name] for name in _DROPOUTS if name in config}
    if len(set(rates.values())) > 1:
        warnings.warn(
            f"Expected one rate of dropout for all of a GPT-2. Received in {folder}: "
            f"{', '.join(f'{name}={rate}' for name, rate in rates.items())}. Here "
            f"resid_pdrop={config['resid_pdrop']} is that of attention and embeddings, "
            "too; it matters only in training.",
            stacklevel=3,
        )


def _ends(folder, vocabulary, added):
    """The token that ends a text that is learnt, and all ids that stop `generate`.

    Ends of the settings that are ordinary words stop, but are not learnt: texts would
    lose them.
    """
    files = ("generation_config.json", "config.json")
    configs = (read_json_if_there(folder, name) for name in files)
    stops = DecodingSettings.first_stated(*configs).eos_token_id
    tokens = {token_id: token for token, token_id in vocabulary.items()}
    stops = stops if isinstance(stops, list) else [stops]
    stops = [token_id for token_id in stops if token_id in tokens]
    named = _named_end(folder)
    whole = [tokens[i] for i in stops if tokens[i] in {_END, named, *added}]
    if named in whole or (not whole and _END not in vocabulary):
        end = named
    else:
        end = next(iter(whole), _END)
    own = [vocabulary[end]] if end in vocabulary else []
    return end, list(dict.fromkeys([*stops, *own]))


def _named_end(folder):
    """The `eos_token` of a tokenizer's settings, or `<|endoftext|>`."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        token = read_json_if_there(folder, name).get("eos_token")
        if token:
            return token["content"] if isinstance(token, dict) else token
    return _END


def _label_names(config, num_classes):
    """Names the user gave, not transformers' own `LABEL_0`."""
    by_id = {int(key): name for key, name in config.get("id2label", {}).items()}
    names = [by_id.get(i, f"LABEL_{i}") for i in range(num_classes)]
    unnamed = all(name == f"LABEL_{i}" for i, name in enumerate(names))
    return None if unnamed or len(set(names)) < num_classes else names
