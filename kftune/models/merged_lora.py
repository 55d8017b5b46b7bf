"""The weights of a backbone as they would be without LoRA."""

from kftune.models.layer_tree import sublayers


def merged_weights(backbone):
    """Gives the weights in the order of `get_weights`, LoRA factors merged into them.

    Args:
        backbone: built `keras_hub.models.Backbone`.

    Returns:
        List of NumPy arrays, as many as a new backbone with this config has weights.
    """
    if not any(weight.name.startswith("lora_") for weight in backbone.weights):
        return backbone.get_weights()
    plain = type(backbone).from_config(backbone.get_config())
    layers = {layer.path: layer for layer in _weighted_layers(plain)}
    for layer in _weighted_layers(backbone):
        store = {}  # What would be saved, and there LoRA is merged.
        layer.save_own_variables(store)
        layers[layer.path].load_own_variables(store)
    return plain.get_weights()


def _weighted_layers(backbone):
    """Layers below a backbone that are built and have weights."""
    return [x for x in sublayers(backbone) if x is not backbone and x.weights]
