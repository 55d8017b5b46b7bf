"""What the backend's fused attention can do, which Keras tells nobody.

`keras.ops.dot_product_attention` decides by private functions of Keras whether a flash
kernel runs. This file alone calls them.
"""

import keras
from keras import ops
from keras.src import backend as keras_backend


def can_use_fused(key_dim, value_dim, dtype):
    """Returns whether `keras.ops.dot_product_attention` takes such heads.

    Args:
        key_dim: `int`. Size of a query and key head.
        value_dim: `int`. Size of a value head.
        dtype: dtype of the heads.

    Returns:
        `bool`. JAX wants one size for all, and compiles float16 for no processor.
    """
    if keras.backend.backend() != "jax":
        return True
    import jax

    half = keras.backend.standardize_dtype(dtype) == "float16"
    return key_dim == value_dim and not (half and jax.default_backend() == "cpu")


def can_use_flash(query, key, value, mask=None, *, is_causal=False):
    """Returns whether `keras.ops.dot_product_attention` would run a flash kernel.

    Args:
        query: float tensor of shape `(B, T, N, H)`.
        key: float tensor of shape `(B, S, K, H)`.
        value: float tensor of shape `(B, S, K, H)`.
        mask: `bool` tensor of rank 4, or None.
        is_causal: `bool`.

    Returns:
        `bool`. False on TensorFlow, on processors, and in float32.
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
