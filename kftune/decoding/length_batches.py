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


def map_by_length(function, rows, lengths, *, limit, batch_tokens, on_batch=None):
    """Calls a function with batches of like length; the order of results is kept.

    Args:
        function: called with a list of rows and the length that they are padded to;
            gives a result a row. No result may depend on the other rows.
        rows: sequence of N.
        lengths: sequence of N int, those of the rows.
        limit: int, as for `length_batches`, and so is `batch_tokens`.
        batch_tokens: int.
        on_batch: function, called after each batch with the number of rows that are
            done; or `None`.

    Returns:
        List of N results.

    Raises:
        ValueError: if `batch_tokens` is less than 1.
    """
    results, done = [None] * len(rows), 0
    for indices, length, count in length_batches(lengths, limit, batch_tokens):
        batch = [rows[index] for index in indices]
        # What fills up a batch is not kept.
        filled = batch + batch[-1:] * (count - len(batch))
        for index, result in zip(indices, function(filled, length), strict=False):
            results[index] = result
        done += len(indices)
        if on_batch:
            on_batch(done)
    return results


def _power_of_two(number):
    """The next one from `number` on."""
    return 1 << (number - 1).bit_length()
