"""Padded lengths of source and target that waste few tokens."""

import numpy as np

from kftune.error_text import first_few

_MOST_LENGTHS = 32


def learn_pair_boundaries(lengths, max_buckets):
    """Chooses pairs of padded lengths that waste few tokens.

    Beginning with the pair that holds all rows, the one that saves most is added until
    there are enough; then each is exchanged for a better one as long as there is one.
    At most 32 evenly spaced lengths of each side are tried, so long rows cost no more
    time than short ones.

    Args:
        lengths: integer array of shape `(N, 2)`, tokens of source and target, all at
            least 1.
        max_buckets: `int`. At most this many pairs.

    Returns:
        `tuple` of pairs of `int`, in the order of their sums. The last one holds the
        longest source and the longest target.
    """
    cells, counts, boxes = _cells_and_boxes(np.asarray(lengths, "int64"))
    holds = (cells[:, None] <= boxes).all(axis=-1)
    cost = np.where(holds, boxes.sum(axis=1), np.inf)  # tokens a row of a cell in a box

    def extended(chosen):
        """The chosen boxes and one more, and the tokens of all rows in them."""
        saved = np.minimum(cost, cost[:, chosen].min(axis=1, keepdims=True))
        tokens = counts @ saved
        return [*chosen, int(tokens.argmin())], tokens.min()

    chosen, best = [len(boxes) - 1], np.inf
    while len(chosen) < min(max_buckets, len(cells)):
        chosen, best = extended(chosen)
    improved = True
    while improved:
        improved = False
        for box in chosen[1:]:
            others, tokens = extended([other for other in chosen if other != box])
            if tokens < best:
                chosen, best, improved = others, tokens, True
    return _sorted_boundaries(boxes[chosen])


def check_pair_boundaries(boundaries, lengths):
    """Checks pairs of padded lengths that were given.

    Args:
        boundaries: sequence of pairs of `int`.
        lengths: integer array of shape `(N, 2)`, tokens of source and target.

    Returns:
        `tuple` of pairs of `int`, in the order of their sums.

    Raises:
        ValueError: if they are no pairs of positive numbers, if none holds all others,
            or if a row is longer than that one.
    """
    sizes = {np.size(pair) for pair in boundaries}
    pairs = np.array(boundaries) if sizes == {2} else np.zeros((1, 2))
    if (pairs < 1).any():
        raise ValueError(
            "Expected boundaries as pairs of positive lengths, of source and target. "
            f"Received: {boundaries}"
        )
    boundaries = _sorted_boundaries(pairs)
    largest = boundaries[-1]
    if (pairs > largest).any():
        raise ValueError(
            "Expected among the boundaries one that is the largest on both sides, such "
            f"as {tuple(pairs.max(axis=0).tolist())}. Received: {boundaries}"
        )
    overlong = np.flatnonzero((lengths > largest).any(axis=1))
    if len(overlong):
        raise ValueError(
            f"Expected sources of at most {largest[0]} tokens and targets of at most "
            f"{largest[1]}, the last boundary. Received up to "
            f"{' and '.join(map(str, lengths.max(axis=0)))}, too many in rows "
            f"{first_few(overlong, show=str)}. Cut the rows or raise the boundary."
        )
    return boundaries


def _cells_and_boxes(lengths):
    """Rounded lengths `(C, 2)`, the rows of each `(C,)`, and all boxes `(X, 2)`."""
    longest = lengths.max(axis=0)
    multiple = -(-longest // _MOST_LENGTHS)
    # Not beyond the longest row: a model may have no positions there.
    rounded = np.minimum(-(-lengths // multiple) * multiple, longest)
    cells, counts = np.unique(rounded, axis=0, return_counts=True)
    sides = [np.unique(side) for side in cells.T]
    boxes = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1).reshape(-1, 2)
    return cells, counts, boxes


def _sorted_boundaries(pairs):
    """Different pairs as a tuple, in the order of their sums."""
    return tuple(sorted({tuple(pair) for pair in pairs.tolist()}, key=_sum_first))


def _sum_first(pair):
    return sum(pair), pair
