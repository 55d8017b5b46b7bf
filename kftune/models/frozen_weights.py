"""Sets which weights of a model are frozen, and writes it down for saving."""

from collections.abc import Iterable

import keras

from kftune.models.frozen_dropout import switch_dropout
from kftune.models.layer_tree import (
    is_lora_factor,
    sublayers,
    weights_made_to_train,
)


def set_frozen(
    model: keras.Model, frozen: Iterable[keras.Variable], *, dropout: bool = False
) -> None:
    """Freezes exactly the given weights of a model and trains all others.

    Weights that are never trained stay as they are, see `weights_made_to_train`.
    A layer whose weights are all frozen gets `trainable = False` as well, so that a
    frozen `BatchNormalization` keeps its moving statistics.

    Args:
        model: built model.
        frozen: its weights that training must not change.
        dropout: whether dropout stays on in what is frozen.
    """
    frozen_ids = {id(weight) for weight in frozen}
    trained_ids = {
        id(weight)
        for weight in weights_made_to_train(model)
        if id(weight) not in frozen_ids
    }
    # One by one: on TensorFlow `model.trainable = True` is not handed on to the
    # layers if the model itself has it already.
    for layer in sublayers(model):
        layer.trainable = True
    for layer in sublayers(model):
        if layer.weights and not any(id(w) in trained_ids for w in layer.weights):
            layer.trainable = False
    for weight in model.weights:
        weight.trainable = id(weight) in trained_ids
    switch_dropout(model, dropout_in_frozen=dropout)
    model.frozen_dropout = dropout


def freezing_config(model: keras.Model) -> dict:
    """Writes down what is frozen, for the config of a task.

    Weights are given by their position, as paths are neither unique nor the same
    after loading (`t5_layer_norm_7`); layer by layer, as the order of `model.weights`
    depends on the backend. LoRA factors are left out: saving merges them into their
    base weight.

    Args:
        model: a model that `kftune.tuning.freeze` froze.

    Returns:
        A dict for JSON: `"policy"` (name, for display), `"dropout"` (bool),
        `"num_weights"` and `"frozen_by_layer"` (positions in the list of weights).
    """
    weights = weights_by_layer(model)
    return {
        "policy": model.freeze_policy,
        "dropout": model.frozen_dropout,
        "num_weights": len(weights),
        "frozen_by_layer": [
            i for i, weight in enumerate(weights) if not weight.trainable
        ],
    }


def restore_freezing(model: keras.Model, config: dict) -> None:
    """Freezes what `freezing_config` wrote down.

    Args:
        model: a built model with the same architecture.
        config: the dict that `freezing_config` returned.

    Raises:
        ValueError: if the model has another number of weights.
    """
    weights = weights_by_layer(model)
    if len(weights) != config["num_weights"]:
        raise ValueError(
            f"Expected a model with {config['num_weights']} weights, as it was when "
            f"frozen. Received: {model.name!r} with {len(weights)} weights. Load it "
            "without changing its architecture."
        )
    if "frozen" in config:  # as it was written once
        in_keras_order = [
            weight for weight in model.weights if not is_lora_factor(weight)
        ]
        frozen = [in_keras_order[position] for position in config["frozen"]]
    else:
        frozen = [weights[position] for position in config["frozen_by_layer"]]
    set_frozen(model, frozen, dropout=config["dropout"])
    model.freeze_policy = config["policy"]


def weights_by_layer(model: keras.Model) -> list[keras.Variable]:
    """Lists the weights that a saved model has, in the same order on every backend.

    That of `model.weights` depends on the backend.

    Args:
        model: built model.

    Returns:
        Its weights without LoRA factors, layer by layer, each once.
    """
    parts = [
        part
        for layer in model.layers
        for part in (layer.layers if isinstance(layer, keras.Model) else [layer])
    ]
    weights = {id(w): w for part in (*parts, model) for w in part.weights}
    return [weight for weight in weights.values() if not is_lora_factor(weight)]
