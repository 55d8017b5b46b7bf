"""A cache in which several beams of a row have their places."""

from keras import ops


def beam_cache(cache, num_beams):
    """Makes W places for each position; the first of them holds what was there.

    The places of a position stand side by side. A beam attends to its ancestors' places
    by a mask, so that nothing is copied when beams take over each other's beginnings.

    Args:
        cache: list of (key, value) pairs, float tensors `(B, K, L, H)`.
        num_beams: `int`. W.

    Returns:
        List of pairs of float tensors `(B, K, L·W, H)`.
    """
    return [tuple(_spread(x, num_beams) for x in pair) for pair in cache]


def _spread(x, num_beams):
    batch, heads, length, size = ops.shape(x)
    places = ops.pad(
        x[:, :, :, None], ((0, 0), (0, 0), (0, 0), (0, num_beams - 1), (0, 0))
    )
    return ops.reshape(places, (batch, heads, length * num_beams, size))
