"""Puts what `save_delta` saved on its base."""

import keras

from kftune.error_text import first_few
from kftune.models.frozen_weights import set_frozen
from kftune.models.layer_tree import lora_base, lora_layers
from kftune.models.trainable_guard import record_trainable
from kftune.tuning.delta_file import read_delta
from kftune.tuning.delta_weights import DeltaWeights, delta_weights
from kftune.tuning.recompile import fresh_optimizer_of, recompile
from kftune.tuning.save_delta import fingerprint_of_tokenizer


def load_delta(task: keras.Model, path) -> None:
    """Makes of a model with the base weights the one that `save_delta` saved.

    The file may come from another backend. Weights are frozen as they were, layers
    get LoRA factors where the saved model had them, and a compiled model is compiled
    again with a fresh optimizer, as `freeze` does it. Another delta of the same base
    may be loaded over one that freezes the same.

    Args:
        task: built model, made as the saved one was before it was trained.
        path: str or `Path` of the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or no delta, if the task has another base,
            another tokenizer, other shapes or other LoRA factors, or if its optimizer
            cannot be made again from its config. The task is then as it was before.

    Example:
        ```python
        task = kftune.models.TextClassifier.from_preset("minilm_l6", num_classes=2)
        kftune.tuning.load_delta(task, "reviews.delta")
        task.predict(["A treat."])
        ```
    """
    named, details = read_delta(path)
    tensors = {name.split(" ")[0]: array for name, array in named.items()}
    _check_fits(task, path, tensors, details)
    optimizer = fresh_optimizer_of(task)
    _add_factors(task, details["factors"])
    weights = delta_weights(task).all
    for key, array in tensors.items():
        weights[key].assign(array)
    frozen = [weights[key] for key in details["frozen"]]
    set_frozen(task, frozen, dropout=details["dropout"])
    task.freeze_policy = details["policy"]
    recompile(task, optimizer)
    record_trainable(task)


def _check_fits(task, path, tensors, details):
    """Raises if a delta is none of this task; lists all that differs."""
    weights = delta_weights(task)
    problems = [
        *_tokenizer_problems(task, details),
        *(
            _shape_problems(weights, tensors, details)
            or _base_problems(weights, tensors, details)
        ),
        *_factor_problems(task, weights, details["factors"]),
    ]
    if problems:
        raise ValueError(
            f"Expected the base that {path} was made on, "
            f"{details['base_name'] or 'which has no name there'}. Received: "
            f"{type(task).__name__} {task.name!r}, of which {'; '.join(problems)}. "
            "Nothing was loaded."
        )


def _tokenizer_problems(task, details):
    """A tokenizer that gives other ids; a model without one was not asked."""
    saved, found = details["tokenizer_sha256"], fingerprint_of_tokenizer(task)
    if None not in (saved, found) and saved != found:
        yield f"the tokenizer has the hash {found}, and not {saved}"


def _factor_problems(task, weights, factors):
    """LoRA factors that a layer cannot have, or that are others than the delta's."""
    layers = _layers_by_key(task, weights)
    if unable := [key for key in factors if key not in layers]:
        yield f"the layers of the weights {unable} cannot have LoRA factors"
    present = {
        key: [layer.lora_rank, layer.lora_alpha]
        for key, layer in weights.adapted.items()
    }
    if present and present != factors:
        paths = first_few([x.path for x in weights.adapted.values()], show=str)
        yield (
            f"the LoRA factors in {paths} are others than the delta's; merge them, or "
            "load the base anew"
        )


def _shape_problems(weights, tensors, details):
    """Weights that are missing or have other shapes."""
    shapes = {key: tuple(w.shape) for key, w in weights.all.items() if "." not in key}
    if len(shapes) != details["num_weights"]:
        return [f"{len(shapes)} weights were found, and not {details['num_weights']}"]
    for key, (rank, _) in details["factors"].items():
        *inner, outer = shapes[key]
        shapes |= {f"{key}.a": (*inner, rank), f"{key}.b": (rank, outer)}
    wrong = [
        f"{weights.all[key].path if key in weights.all else key} is {shapes.get(key)}, "
        f"and not {array.shape}"
        for key, array in tensors.items()
        if array.shape != shapes.get(key)
    ]
    return [first_few(wrong, show=str)] if wrong else []


def _base_problems(weights, tensors, details):
    """Frozen weights of other values."""
    every = weights.all
    base = {k: w for k, w in every.items() if k not in tensors and "." not in k}
    found = DeltaWeights({}, base, {}).base_fingerprint()
    if found != details["base_sha256"]:
        yield (
            f"the weights that the delta leaves as they are have the hash {found}, and "
            f"not {details['base_sha256']}"
        )


def _add_factors(task, factors):
    """Gives layers the factors that the delta has, if they do not have them."""
    weights = delta_weights(task)
    if not weights.adapted:
        layers = _layers_by_key(task, weights)
        for key, (rank, alpha) in factors.items():
            layers[key].enable_lora(rank, lora_alpha=alpha)


def _layers_by_key(task, weights):
    """Layers that can have LoRA factors, by the key of the weight beside them."""
    keys = {id(weight): key for key, weight in weights.all.items()}
    return {keys.get(id(lora_base(x))): x for x in lora_layers(task, enabled=False)}
