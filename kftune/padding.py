"""Rows of different lengths as one array."""

import numpy as np


def pad_rows(rows, length, pad_value=0):
    """Pads rows on the right.

    Args:
        rows: sequence of B one-dimensional integer sequences, none above `length`.
        length: `int`. Tokens a padded row, T.
        pad_value: `int`. What stands behind the end of a row.

    Returns:
        int32 array of shape `(B, T)`.

    Raises:
        ValueError: if a row is longer.

    Example:
    ```python
    pad_rows([[5, 6], [7]], length=3)  # [[5, 6, 0], [7, 0, 0]]
    ```
    """
    padded = np.full((len(rows), length), pad_value, "int32")
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded
