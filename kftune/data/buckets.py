"""Pure functions that sort rows of different lengths into batches of few shapes."""

import itertools

import numpy as np

from kftune.error_text import first_few


def learn_boundaries(lengths, max_buckets=4, multiple=8):
    """Chooses the padded lengths that waste the fewest tokens.

    Dynamic programming over the lengths that occur, each rounded up to `multiple`:
    the result is the best one, not an estimate.

    Args:
        lengths: integer array of shape `(N,)`, tokens a row, all at least 1.
        max_buckets: `int`. At most this many padded lengths.
        multiple: `int`. Every padded length but the last is a multiple of this; 8
            suits the matrix units of GPUs.

    Returns:
        `tuple` of `int`, ascending; the last one is the length of the longest row.
    """
    lengths = np.asarray(lengths, "int64")
    # Not beyond the longest row: a model may have no positions there.
    rounded = np.minimum(-(-lengths // multiple) * multiple, lengths.max())
    sizes, counts = np.unique(rounded, return_counts=True)
    before = np.concatenate([[0], np.cumsum(counts)])
    # cost[i, j]: tokens of one bucket that takes the sizes i to j.
    rows = before[None, 1:] - before[:-1, None]
    cost = np.where(rows > 0, rows * sizes, np.inf)
    best, cuts = cost[0], []
    for _ in range(min(max_buckets, len(sizes)) - 1):
        total = best[:-1, None] + cost[1:]
        cuts.append(total.argmin(axis=0))
        best = total.min(axis=0)
    chosen = [len(sizes) - 1]
    for cut in reversed(cuts):
        chosen.append(cut[chosen[-1]])
    return tuple(int(sizes[i]) for i in reversed(chosen))


def plan_batches(lengths, boundaries, batch_sizes, rng=None, drop_remainder=False):
    """Deals rows into batches, each padded to one of the boundaries.

    Each row goes to the smallest boundary that holds it. Rows that do not fill a batch
    there move up to the next larger one that holds that boundary. So only one batch in
    all can be smaller than its size, and it has the largest shape: there are at most
    `len(boundaries) + 1` shapes, the same in every epoch.

    The first two batches differ in each length that is not the same in all batches,
    because Keras takes the signature of TensorFlow's training step from these two: if
    they were of one length, no other length could follow.

    Args:
        lengths: integer array of shape `(N,)`, tokens a row, or `(N, 2)`, of source and
            target. The last boundary holds all.
        boundaries: sequence of `int`, the padded lengths, or of pairs of `int`; no sum
            of such a pair is smaller than that before, and the last holds all others.
        batch_sizes: `int` for each boundary, rows a batch of that length.
        rng: `numpy.random.Generator` that shuffles rows and batches, or `None` to
            keep the rows in the order of their index, short ones first.
        drop_remainder: `bool`. Leave out the one smaller batch.

    Returns:
        `list` of `(boundary, rows)`: the boundary and the int64 array of the row
        indices, of shape `(B,)`: the batch size, or less in the smaller batch.
    """
    last = len(boundaries) - 1
    buckets = _smallest_that_hold(lengths, boundaries)
    batches, left = [], [[] for _ in boundaries]
    for bucket, (boundary, batch_size) in enumerate(
        zip(boundaries, batch_sizes, strict=True)
    ):
        rows = np.concatenate([*left[bucket], np.flatnonzero(buckets == bucket)])
        if rng is not None:
            rows = rng.permutation(rows)
        full = len(rows) - len(rows) % batch_size
        batches += [(boundary, part) for part in rows[:full].reshape(-1, batch_size)]
        if bucket < last:
            larger = boundaries[bucket + 1 :]
            onward = bucket + 1 + _smallest_that_hold([boundary], larger)[0]
            left[onward].append(rows[full:])
        elif full < len(rows) and not drop_remainder:
            batches.append((boundary, rows[full:]))
    if rng is not None:
        batches = [batches[i] for i in rng.permutation(len(batches))]
    return different_first(batches, [boundary for boundary, _ in batches])


def batch_sizes(boundaries, batch_size, max_tokens=None):
    """Tells how many rows a batch of each padded length has.

    Args:
        boundaries: ascending `tuple` of `int`, the padded lengths, or of pairs of `int`
            with ascending sums.
        batch_size: `int`. Rows a batch of any length.
        max_tokens: `int` or `None`. Tokens a batch, padding included, in place of
            `batch_size`.

    Returns:
        `tuple` of `int`, one a boundary.

    Raises:
        ValueError: if a batch would have no row.
    """
    if max_tokens is None:
        if batch_size < 1:
            raise ValueError(
                f"Expected batch_size of 1 or more. Received: {batch_size}"
            )
        return (batch_size,) * len(boundaries)
    tokens = [int(np.sum(boundary)) for boundary in boundaries]
    if max_tokens < tokens[-1]:
        raise ValueError(
            f"Expected max_tokens of {tokens[-1]} or more, the padded length of "
            f"the longest rows. Received: {max_tokens}"
        )
    return tuple(max_tokens // count for count in tokens)


def check_boundaries(boundaries, lengths):
    """Checks padded lengths that were given.

    Args:
        boundaries: sequence of `int`.
        lengths: integer array of shape `(N,)`.

    Returns:
        `tuple` of `int`.

    Raises:
        ValueError: if they are not positive and ascending, or a row is longer than the
            last one.
    """
    boundaries = tuple(int(boundary) for boundary in boundaries)
    steps = np.diff([0, *boundaries])
    if not boundaries or (steps <= 0).any():
        raise ValueError(
            f"Expected positive, ascending boundaries. Received: {boundaries}"
        )
    overlong = np.flatnonzero(lengths > boundaries[-1])
    if len(overlong):
        raise ValueError(
            f"Expected rows of at most {boundaries[-1]} tokens, the last boundary. "
            f"Received up to {lengths.max()} in rows "
            f"{first_few(overlong, show=str)}. Cut the rows or raise the boundary."
        )
    return boundaries


def different_first(batches, shapes):
    """Swaps two batches to the front whose lengths differ wherever any do.

    Args:
        batches: list.
        shapes: sequence of the lengths of each, `int` or equally long tuples of `int`.

    Returns:
        The list, changed in place; as it was if no two batches differ so.
    """
    firsts = {}
    for i, shape in enumerate(shapes):
        firsts.setdefault(shape, i)
    if len(firsts) < 2:
        return batches
    same = np.ptp(np.array([*firsts]).reshape(len(firsts), -1), axis=0) == 0
    for (one, i), (other, j) in itertools.combinations(firsts.items(), 2):
        if (np.not_equal(one, other) | same).all():
            batches[0], batches[i] = batches[i], batches[0]
            batches[1], batches[j] = batches[j], batches[1]
            break
    return batches


def _smallest_that_hold(lengths, boundaries):
    """Index of the first boundary that holds each row, int64 of shape `(N,)`."""
    lengths = np.asarray(lengths).reshape(len(lengths), -1)
    buckets = np.full(len(lengths), len(boundaries) - 1)
    for bucket in reversed(range(len(boundaries) - 1)):
        buckets[(lengths <= boundaries[bucket]).all(axis=1)] = bucket
    return buckets
