"""Whole texts put together into rows of one length."""

import bisect

import numpy as np


def packed_texts(lengths, room):
    """Deals texts into rows, none of them cut, with little room left over.

    The longest text first, each into the fullest row that has room for it (best-fit
    decreasing; Johnson et al. 1974, https://doi.org/10.1137/0203025).

    Args:
        lengths: sequence of N `int`, tokens a text.
        room: `int`, tokens a row.

    Returns:
        List of lists of indices of texts, one for each row.

    Raises:
        ValueError: if a text is longer than a row; says how long the longest is.

    Example:
    ```python
    packed_texts([3, 6, 2, 4], room=8)  # [[1, 2], [3, 0]]
    ```
    """
    longest = max(lengths, default=0)
    if longest > room:
        raise ValueError(
            f"Expected texts of at most {room} tokens to pack. Received: {longest} "
            "tokens. Shorten the preprocessor's sequence_length, or cut the texts by "
            "kftune.data.chunk_rows."
        )
    rows, free = [], []  # free: (room left, row), in ascending order
    for text in np.argsort(-np.asarray(lengths), kind="stable").tolist():
        place = bisect.bisect_left(free, (lengths[text], -1))
        if place == len(free):
            rows.append([])
            free.append((room, len(rows) - 1))
        left, row = free.pop(place)
        rows[row].append(text)
        bisect.insort(free, (left - lengths[text], row))
    return rows
