"""Saves what was trained of a model, without what stayed as it was."""

import importlib.metadata

import keras

from kftune.error_text import first_few
from kftune.models.tokenizer_fingerprint import tokenizer_fingerprint
from kftune.tuning.delta_file import write_delta
from kftune.tuning.delta_weights import delta_weights, plain_array

_PACKAGES = ("kftune", "keras", "keras-hub")


def save_delta(task: keras.Model, path, *, base_name: str = "") -> None:
    """Saves what the freezing policy trains to one safetensors file.

    That is the head, the blocks that are not frozen, and LoRA factors. The frozen
    weights, the base, are not in the file; a hash of them is, and `load_delta` puts
    the rest on no other base. So train nothing that is frozen when this is called:
    with `GradualUnfreezing`, or one policy.

    Args:
        task: Keras model or KerasHub task that `kftune.tuning.freeze` froze.
        path: str or `Path` of the file. It appears whole or not at all.
        base_name: str, what the base is called, such as the name of its preset; for
            the messages of `load_delta`.

    Raises:
        ValueError: if nothing was frozen by a policy, or if LoRA factors are zeros
            since `load_weights` put them into the base.

    Example:
        ```python
        task = kftune.models.TextClassifier.from_preset("minilm_l6", num_classes=2)
        kftune.tuning.freeze(task, "lora")
        task.fit(["A treat.", "A bore."], [1, 0])
        kftune.tuning.save_delta(task, "reviews.delta", base_name="minilm_l6")
        ```
    """
    if getattr(task, "freeze_policy", None) is None:
        raise ValueError(
            "Expected a model that kftune.tuning.freeze(task, policy) froze. Received: "
            f"{type(task).__name__} {task.name!r}, of which all would be saved. Save "
            "it as a whole instead."
        )
    weights = delta_weights(task)
    _check_factors(weights)
    details = {
        "base_name": base_name,
        "base_sha256": weights.base_fingerprint(),
        "num_weights": sum("." not in key for key in weights.all),
        "policy": task.freeze_policy,
        "dropout": task.frozen_dropout,
        "frozen": [key for key, w in weights.all.items() if not w.trainable],
        "factors": {
            key: [layer.lora_rank, layer.lora_alpha]
            for key, layer in weights.adapted.items()
        },
        "tokenizer_sha256": fingerprint_of_tokenizer(task),
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }
    # The paths are for whoever looks into the file.
    tensors = {f"{k} {w.path}": plain_array(w) for k, w in weights.own.items()}
    write_delta(path, tensors, details)


def _check_factors(weights):
    """Keras saves factors merged: who loads that has another base and factors of 0."""
    merged = [
        layer.path
        for key, layer in weights.adapted.items()
        if not plain_array(weights.own[f"{key}.a"]).any()
    ]
    if merged:
        raise ValueError(
            "Expected LoRA factors beside the weights of the base. Received: factors "
            f"of zeros, merged by load_weights, in {first_few(merged, show=str)}. Load "
            "the best epoch with kftune.training.load_best_weights, average no epochs, "
            "or save the task as a whole."
        )


def fingerprint_of_tokenizer(task: keras.Model) -> str | None:
    """Hashes the tokenizer of a task.

    Args:
        task: any Keras model.

    Returns:
        See `tokenizer_fingerprint`; `None` if the model has no tokenizer.
    """
    preprocessor = getattr(task, "preprocessor", None)
    tokenizer = getattr(preprocessor, "tokenizer", None)
    return None if tokenizer is None else tokenizer_fingerprint(tokenizer)
