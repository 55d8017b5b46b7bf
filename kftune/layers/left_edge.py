"""Moves left-padded rows to the left edge, where positions are counted from."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kftune")
class LeftEdge(keras.layers.Layer):
    """Rolls every row until its first real token stands at index 0.

    Models that count positions by index, as GPT-2 and BERT do, then give the same
    numbers for left and for right padding. Shapes stay what they are, so this
    compiles. Letters: B batch, T length.

    Call arguments:
        token_ids: `int32` tensor of shape `(B, T)`.
        padding_mask: `bool` or `int32` tensor of shape `(B, T)`. True, or 1, means a
            real token.

    Returns:
        Tuple of `token_ids` and `padding_mask`, both `int32` of shape `(B, T)`. Rows
        without a single real token come back as they were.

    Example:
    ```python
    align = LeftEdge()
    align(np.array([[0, 0, 7, 8]]), np.array([[0, 0, 1, 1]]))
    # [[7, 8, 0, 0]], [[1, 1, 0, 0]]
    ```
    """

    def call(self, token_ids, padding_mask):
        """See the class."""
        padding_mask = ops.cast(padding_mask, "int32")
        length = ops.shape(padding_mask)[1]
        first_real = ops.cast(ops.argmax(padding_mask, axis=1), "int32")  # (B,)
        steps = ops.arange(length, dtype="int32")  # (T,)
        source = ops.mod(steps[None, :] + first_real[:, None], length)  # (B, T)
        return (
            ops.take_along_axis(ops.cast(token_ids, "int32"), source, axis=1),
            ops.take_along_axis(padding_mask, source, axis=1),
        )

    def compute_output_spec(self, token_ids, padding_mask):
        """Two `int32` tensors in the shapes of the inputs."""
        return (
            keras.KerasTensor(token_ids.shape, dtype="int32"),
            keras.KerasTensor(padding_mask.shape, dtype="int32"),
        )
