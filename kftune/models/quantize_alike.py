"""Gives one backbone the integer weights of another."""

import keras

from kftune.models.layer_tree import sublayers


def quantize_alike(backbone, pattern):
    """Quantises the layers that are quantised in another backbone.

    Keras cannot save layers that were made with integer weights, by a policy for each
    layer in a config; it can save those that were quantised.

    Args:
        backbone: built `keras_hub.models.Backbone` with floating-point weights.
        pattern: built backbone with layers of the same paths.
    """
    modes = {layer.path: layer.quantization_mode for layer in sublayers(pattern)}
    for layer in sublayers(backbone):
        mode = modes.get(layer.path)
        if mode is not None and layer is not backbone:
            layer.quantize(mode)


def own_policy(layer):
    """Gives the dtype policy of a layer, also where that is one of many in a map.

    Args:
        layer: built layer.

    Returns:
        `keras.DTypePolicy`.
    """
    policy = layer.dtype_policy
    is_map = isinstance(policy, keras.dtype_policies.DTypePolicyMap)
    return policy[layer.path] if is_map else policy
