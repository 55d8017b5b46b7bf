"""Weights as they would be without LoRA."""

import keras

from kftune.models.layer_tree import is_lora_factor, lora_layers, sublayers


def merged_weights(backbone):
    """Gives the weights in the order of `get_weights`, LoRA factors merged into them.

    Args:
        backbone: built `keras_hub.models.Backbone`.

    Returns:
        List of NumPy arrays, as many as a new backbone with this config has weights.
    """
    if not lora_layers(backbone):
        return backbone.get_weights()
    plain = type(backbone).from_config(backbone.get_config())
    layers = {layer.path: layer for layer in _weighted_layers(plain)}
    for layer in _weighted_layers(backbone):
        layers[layer.path].load_own_variables(_saved(layer))
    return plain.get_weights()


def merge_lora(layer: keras.Layer) -> None:
    """Adds the LoRA factors of a layer to its weight, and removes them.

    Args:
        layer: one of `lora_layers`.
    """
    merged = _saved(layer)
    for weight in filter(is_lora_factor, layer.weights):
        delattr(layer, weight.name)
    layer.lora_enabled = False
    layer.lora_rank = layer.lora_alpha = None
    layer.load_own_variables(merged)


def _saved(layer):
    """What would be saved of a layer, and there LoRA is merged."""
    store = {}
    layer.save_own_variables(store)
    return store


def _weighted_layers(backbone):
    """Layers below a backbone that are built and have weights."""
    return [x for x in sublayers(backbone) if x is not backbone and x.weights]
