"""Rows in which several texts stand one behind the other, numbered."""

from keras import ops


def segment_mask(segment_ids):
    """Tells which tokens stand in the same text.

    Args:
        segment_ids: integer tensor of shape `(B, T)`, a number for each text of a row,
            and one for padding.

    Returns:
        `bool` tensor of shape `(B, T, T)`. True means the same text.

    Example:
    ```python
    segment_mask(np.array([[1, 1, 2]]))  # [[[1, 1, 0], [1, 1, 0], [0, 0, 1]]], bool
    ```
    """
    return ops.equal(segment_ids[:, :, None], segment_ids[:, None, :])


def segment_positions(mask):
    """Counts the tokens of each text from 0.

    Args:
        mask: `bool` tensor of shape `(B, T, T)`, see `segment_mask`. The tokens of a
            text stand together.

    Returns:
        `int32` tensor of shape `(B, T)`.

    Example:
    ```python
    segment_positions(segment_mask(np.array([[1, 1, 2]])))  # [[0, 1, 0]]
    ```
    """
    first = ops.argmax(ops.cast(mask, "int32"), axis=-1)
    return ops.arange(ops.shape(mask)[-1], dtype="int32") - ops.cast(first, "int32")
