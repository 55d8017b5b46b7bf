"""Takes some beams of each row."""

from keras import ops


def gather_beams(x, indices):
    """Takes beams along their axis, as whole rows of one table.

    Args:
        x: tensor `(B, W, ...)`.
        indices: `int32` tensor `(B, C)`, of beams.

    Returns:
        Tensor `(B, C, ...)`.
    """
    batch, beams = ops.shape(x)[:2]
    starts = ops.arange(batch, dtype="int32")[:, None] * beams
    table = ops.reshape(x, (batch * beams, *x.shape[2:]))
    return ops.take(table, indices + starts, axis=0)


def best_beams(scores, count):
    """Finds the best beams of each row.

    Args:
        scores: float tensor `(B, W)`.
        count: `int`. C.

    Returns:
        Tuple of the scores, float `(B, C)`, best first, and the beams, `int32 (B, C)`.
    """
    scores, indices = ops.top_k(scores, count)
    return scores, ops.cast(indices, "int32")
