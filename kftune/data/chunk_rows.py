"""Long token rows cut into several, without a token lost or learnt twice."""

import numpy as np


def chunk_rows(rows, length, weights=None, *, overlap=0):
    """Cuts rows that are too long into chunks, for `TextBuckets`.

    A chunk begins with the last token of the one before, which predicts its next, and
    `overlap` tokens more that are seen and not learnt again.

    Args:
        rows: sequence of N one-dimensional integer arrays, the tokens of a text each.
        length: `int`, the most tokens of a chunk; `sequence_length + 1` for what a
            preprocessor cuts to.
        weights: sequence of N `bool` arrays of the same lengths, True for a token that
            is to be learnt; `None`: all are.
        overlap: `int`, tokens from 0 to `length - 2`.

    Returns:
        Tuple of a list of int32 arrays, the chunks of all rows in order, and a list of
        `bool` arrays, their weights.

    Raises:
        ValueError: if `length` is less than 2, or `overlap` leaves nothing to learn.

    Example:
    ```python
    rows, weights = chunk_rows([[5, 6, 7, 8]], length=3, overlap=1)
    rows  # [[5, 6, 7], [6, 7, 8]]
    weights  # [[True, True, True], [False, False, True]]
    ```
    """
    if length < 2 or not 0 <= overlap <= length - 2:
        raise ValueError(
            "Expected a length of 2 tokens or more, and an overlap from 0 to "
            f"length - 2. Received: length={length}, overlap={overlap}"
        )
    if weights is None:
        weights = [np.ones(len(row), bool) for row in rows]
    chunks, kept = [], []
    for row, weight in zip(rows, weights, strict=True):
        for start in range(0, max(1, len(row) - overlap - 1), length - overlap - 1):
            chunks.append(np.array(row[start : start + length], "int32"))
            kept.append(np.array(weight[start : start + length], bool))
            if start:
                kept[-1][: overlap + 1] = False
    return chunks, kept
