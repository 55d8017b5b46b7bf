"""One vector a row out of the hidden states of its real tokens."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kftune")
class MaskedPooling(keras.layers.Layer):
    """Pools hidden states over the real tokens of each row.

    Letters: B batch, T length, D hidden. A row without a real token gives finite
    numbers that mean nothing: its first state, or zeros for the mean.

    Args:
        pooling: `str`. `"last"` takes the last real token, `"first"` the token at
            index 0, `"mean"` the mean of all real tokens, `"last_mean"` puts the last
            token and the mean side by side.
        **kwargs: Passed to `keras.layers.Layer`.

    Call arguments:
        sequence: float tensor of shape `(B, T, D)`.
        padding_mask: `bool` or `int32` tensor of shape `(B, T)`. True, or 1, means a
            real token.

    Returns:
        Float tensor of shape `(B, D)`, or `(B, 2 * D)` for `"last_mean"`.

    Raises:
        ValueError: if `pooling` is not one of the four names.

    Example:
    ```python
    pool = MaskedPooling("last")
    pool(np.array([[[1.0], [2.0], [3.0]]]), np.array([[1, 1, 0]]))  # [[2.0]]
    ```
    """

    def __init__(self, pooling="last", **kwargs):
        super().__init__(**kwargs)
        if pooling not in _POOLINGS:
            raise ValueError(
                f"Expected pooling to be one of {sorted(_POOLINGS)}. "
                f"Received: pooling={pooling!r}"
            )
        self.pooling = pooling

    def call(self, sequence, padding_mask):
        """See the class."""
        pooled = [pool(sequence, padding_mask) for pool in _POOLINGS[self.pooling]]
        return ops.concatenate(pooled, axis=-1)

    def compute_output_spec(self, sequence, padding_mask):
        """`(B, D)`, or `(B, 2 * D)` for `"last_mean"`."""
        size = sequence.shape[-1] * len(_POOLINGS[self.pooling])
        return keras.KerasTensor((sequence.shape[0], size), dtype=self.compute_dtype)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "pooling": self.pooling}


def _last(sequence, padding_mask):
    steps = ops.arange(ops.shape(padding_mask)[1], dtype="int32")
    last = ops.max(steps * ops.cast(padding_mask, "int32"), axis=1)  # (B,)
    return ops.take_along_axis(sequence, last[:, None, None], axis=1)[:, 0]


def _first(sequence, padding_mask):
    return sequence[:, 0]


def _mean(sequence, padding_mask):
    # Summed in float32: half precision loses digits over some hundred tokens.
    real = ops.cast(padding_mask, "bool")[:, :, None]  # (B, T, 1)
    total = ops.sum(ops.where(real, ops.cast(sequence, "float32"), 0.0), axis=1)
    count = ops.maximum(ops.sum(ops.cast(real, "float32"), axis=1), 1.0)
    return ops.cast(total / count, sequence.dtype)


_POOLINGS = {
    "first": (_first,),
    "last": (_last,),
    "last_mean": (_last, _mean),
    "mean": (_mean,),
}
