"""Switches dropout off where a model is frozen, without a trace in its config."""

import keras

from kftune.layers.covered_dropout import cover, uncover
from kftune.models.layer_tree import backbone_of, is_kind, sublayers


def switch_dropout(model: keras.Model, *, dropout_in_frozen: bool) -> None:
    """Switches dropout off in the frozen parts of a model and on in all others.

    Off are the dropout layers inside a layer whose weights are all frozen, and
    those that stand in the backbone with only frozen layers before them. Dropout
    that is not a layer (in `keras.layers.LSTM`) is not touched.

    Args:
        model: built model.
        dropout_in_frozen: True leaves dropout on everywhere.
    """
    frozen = set() if dropout_in_frozen else _frozen_dropouts(model)
    for layer in filter(_is_dropout, sublayers(model)):
        if id(layer) in frozen:
            cover(layer)
        else:
            uncover(layer)


def _is_dropout(layer):
    return is_kind(layer, "Dropout") or is_kind(layer, "DropPath")


def _frozen_dropouts(model):
    """Ids of the dropout layers in frozen blocks or after frozen layers only."""
    in_blocks = {
        id(layer)
        for block in sublayers(model)
        if _is_frozen(block)
        for layer in sublayers(block)
        if _is_dropout(layer)
    }
    backbone = backbone_of(model)
    if backbone is None:
        return in_blocks
    return in_blocks | {
        id(layer)
        for layer in backbone.layers
        if _is_dropout(layer) and _follows_frozen_only(backbone, layer)
    }


def _is_frozen(block):
    return block.weights and not block.trainable_weights


def _follows_frozen_only(backbone, layer):
    """Whether all weights before a layer of a functional backbone are frozen."""
    return _is_frozen(keras.Model(backbone.inputs, layer.input))
