"""Batches of like length, of few shapes."""

from kftune.models.rounded_length import rounded_length


def length_batches(lengths, limit, batch_tokens):
    """Sorts rows into batches whose shapes are few, so that little is compiled.

    A batch holds rows that are padded to the same length, 32, 64, 128 and so on, and
    all batches of one length have as many rows.

    Args:
        lengths: sequence of N int.
        limit: int, the longest length to pad to.
        batch_tokens: int. Tokens of a batch at most, padding included; but a batch has
            one row at least.

    Yields:
        Tuples, long rows first: a list of indices, the length they are padded to, and
        the number of rows to fill the batch up to.

    Raises:
        ValueError: if `batch_tokens` is less than 1.
    """
    if batch_tokens < 1:
        raise ValueError(
            f"Expected batch_tokens of at least 1. Received: {batch_tokens}"
        )
    buckets = {}
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        buckets.setdefault(rounded_length(lengths[index], limit), []).append(index)
    for length, indices in sorted(buckets.items(), reverse=True):
        rows = max(1, min(batch_tokens // length, _power_of_two(len(indices))))
        for first in range(0, len(indices), rows):
            yield indices[first : first + rows], length, rows


def _power_of_two(number):
    """The next one from `number` on."""
    return 1 << (number - 1).bit_length()
