"""Rows that have no label for one of several heads."""

import numpy as np


def mask_missing_labels(labels):
    """Gives rows without a label the weight 0, head by head.

    Args:
        labels: dict of head name to labels, `(N,)` or `(N, C)`: integers, where -1
            means no label, or floats, where NaN means none. A row `(C,)` is left out
            if any of its entries is missing.

    Returns:
        Tuple of two dicts by head for `fit` and `evaluate`: labels, with 0 where one is
        missing, and sample weights, `float32` `(N,)`, 1 or 0.

    Raises:
        ValueError: if the heads have labels for different numbers of rows, or such that
            are no numbers.

    Example:
    ```python
    y, sample_weight = mask_missing_labels({"topic": [2, -1], "stars": [4.5, nan]})
    # {"topic": [2, 0], "stars": [4.5, 0.0]}, {"topic": [1, 0], "stars": [1, 0]}
    task.fit(texts, y, sample_weight=sample_weight)
    ```
    """
    arrays = label_arrays(labels)
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Expected as many labels for each head. Received: {lengths}")
    filled, weights = {}, {}
    for name, array in arrays.items():
        is_float = array.dtype.kind == "f"
        missing = np.isnan(array) if is_float else array == -1
        values = np.where(missing, 0, array)
        filled[name] = values.astype("float32") if is_float else values
        rows = missing.reshape(len(array), -1).any(axis=1)
        weights[name] = (~rows).astype("float32")
    return filled, weights


def label_arrays(labels):
    """Makes arrays of the labels of each head, which must be numbers.

    Args:
        labels: dict of head name to labels, `(N,)` or `(N, C)`.

    Returns:
        Dict of head name to NumPy array.

    Raises:
        ValueError: if labels are no numbers; names all such heads.
    """
    arrays = {name: np.asarray(values) for name, values in labels.items()}
    wrong = {
        name: array.ravel()[:3].tolist()
        for name, array in arrays.items()
        if array.dtype.kind not in "biuf"
    }
    if wrong:
        raise ValueError(
            "Expected labels as numbers, as kftune.data.encode_labels makes of class "
            f"names, and -1 or NaN where one is missing. Received: {wrong}"
        )
    return arrays
