"""Reads Hugging Face folders with a GPT-2, with or without a classification head."""

import keras_hub

from kftune.models.converters.hf_files import (
    check_settings,
    read_json,
    read_tensor,
    safetensors_folder,
    tensor_shapes,
)

_HEAD = "score.weight"
_COMPUTED_HERE = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
}


def read_gpt2_backbone(folder, *, load_weights=True, dtype=None):
    """Reads a GPT-2 backbone and checks first that all of it fits.

    Args:
        folder: `Path` with `config.json` and safetensors or `pytorch_model.bin`.
        load_weights: `bool`. False gives random weights.
        dtype: `str`, dtype policy or `None` for Keras's own.

    Returns:
        `keras_hub.models.GPT2Backbone`.

    Raises:
        FileNotFoundError: if there are no weights to read.
        ValueError: if the model computes something that KerasHub's GPT-2 does not, or
            if tensors are missing, of another shape, or more than the model has; lists
            them all.
    """
    config = read_json(folder, "config.json")
    accepted = {**_COMPUTED_HERE, "n_inner": (None, 4 * config["n_embd"])}
    check_settings(config, accepted, folder)
    if not load_weights:
        return keras_hub.models.GPT2Backbone.from_preset(
            str(folder), load_weights=False, dtype=dtype
        )
    with safetensors_folder(folder) as readable:
        _check_tensors(config, tensor_shapes(readable), folder)
        return keras_hub.models.GPT2Backbone.from_preset(str(readable), dtype=dtype)


def read_gpt2_tokenizer(folder):
    """Reads GPT-2's vocabulary and merges.

    Args:
        folder: `Path` with `vocab.json` and `merges.txt`, or with the `tokenizer.json`
            that transformers 5 writes in their place.

    Returns:
        `keras_hub.models.GPT2Tokenizer`.

    Raises:
        FileNotFoundError: if there is neither.
        ValueError: if `tokenizer.json` holds no byte-pair vocabulary.
    """
    if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        vocabulary = read_json(folder, "vocab.json")
        merges = (folder / "merges.txt").read_text("utf-8").split("\n")
    else:
        tokenizer = read_json(folder, "tokenizer.json")
        model = tokenizer["model"]
        if model.get("type") != "BPE":
            raise ValueError(
                f"Expected a BPE vocabulary in {folder / 'tokenizer.json'}. "
                f"Received: {model.get('type')!r}"
            )
        added = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
        vocabulary = {**model["vocab"], **added}
        merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    merges = [m for m in merges if m and not m.startswith("#version")]
    return keras_hub.models.GPT2Tokenizer(vocabulary, merges)


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


def _label_names(config, num_classes):
    """Names the user gave, not transformers' own `LABEL_0`."""
    by_id = {int(key): name for key, name in config.get("id2label", {}).items()}
    names = [by_id.get(i, f"LABEL_{i}") for i in range(num_classes)]
    unnamed = all(name == f"LABEL_{i}" for i, name in enumerate(names))
    return None if unnamed or len(set(names)) < num_classes else names


def _check_tensors(config, found, folder):
    """Raises one error about every tensor that is missing, misshapen or left over."""
    bare = {name.removeprefix("transformer."): shape for name, shape in found.items()}
    wanted = _expected_shapes(config)
    wrong = [
        f"{name}: expected {shape}, received {bare.get(name, 'nothing')}"
        for name, shape in wanted.items()
        if bare.get(name) != shape
    ]
    # Old checkpoints also hold the causal mask, h.0.attn.bias, which is no weight.
    wrong += [
        f"{name}: expected no such layer"
        for name in sorted(bare.keys() - wanted.keys())
        if name.startswith("h.") and not name.endswith((".attn.bias", ".masked_bias"))
    ]
    if wrong:
        raise ValueError(
            f"Expected the tensors that config.json in {folder} tells of. "
            f"{len(wrong)} do not fit:\n  " + "\n  ".join(wrong)
        )


def _expected_shapes(config):
    width = config["n_embd"]
    shapes = {
        "wte.weight": (config["vocab_size"], width),
        "wpe.weight": (config["n_positions"], width),
        "ln_f.weight": (width,),
        "ln_f.bias": (width,),
    }
    block = {
        "ln_1.weight": (width,),
        "ln_1.bias": (width,),
        "attn.c_attn.weight": (width, 3 * width),
        "attn.c_attn.bias": (3 * width,),
        "attn.c_proj.weight": (width, width),
        "attn.c_proj.bias": (width,),
        "ln_2.weight": (width,),
        "ln_2.bias": (width,),
        "mlp.c_fc.weight": (width, 4 * width),
        "mlp.c_fc.bias": (4 * width,),
        "mlp.c_proj.weight": (4 * width, width),
        "mlp.c_proj.bias": (width,),
    }
    for index in range(config["n_layer"]):
        shapes |= {f"h.{index}.{name}": shape for name, shape in block.items()}
    return shapes
