"""Asks Keras whether its backend would use a flash kernel.

Keras decides this inside `keras.ops.dot_product_attention` and tells nobody, so this
one file calls the private functions it decides by.
"""

import keras
from keras import ops
from keras.src import backend as keras_backend


def can_use_flash(query, key, value, mask=None, is_causal=False):
    """Returns whether `keras.ops.dot_product_attention` would use a flash kernel.

    Args:
        query: float tensor of shape `(B, T, N, H)`.
        key: float tensor of shape `(B, S, K, H)`.
        value: float tensor of shape `(B, S, K, H)`.
        mask: `bool` tensor of rank 4, or None.
        is_causal: `bool`.

    Returns:
        `bool`. Always False on TensorFlow, on processors, and in float32.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        return keras_backend.nn._can_use_flash_attention(query, key, value, None)
    if backend == "torch":
        heads_first = [ops.transpose(x, (0, 2, 1, 3)) for x in (query, key, value)]
        if mask is not None:
            mask = ops.cast(mask, query.dtype)
        return keras_backend.nn._can_use_flash_attention(*heads_first, mask, is_causal)
    return False
