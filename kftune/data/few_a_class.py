"""A few rows of each class, to see what few labels are worth."""

import numpy as np


def few_a_class(dataset, count, *, column="label", seed=0):
    """Takes so many rows of each class, at random.

    With one seed, the rows of a smaller count are among those of a larger one, so what
    a model gains between two counts comes of the rows that were added.

    Args:
        dataset: `datasets.Dataset`.
        count: `int`, at least 1. Rows a class; a class that has fewer gives all.
        column: `str`. The column of the classes.
        seed: `int`.

    Returns:
        `datasets.Dataset`, its rows in the order of `dataset`.

    Raises:
        ValueError: if `count` is less than 1, or if there is no such column.

    Example:
    ```python
    from datasets import Dataset
    from kftune.data import few_a_class

    rows = Dataset.from_dict({"text": list("abcdefgh"), "label": [0, 1] * 4})
    few_a_class(rows, 2)["label"]  # two of each
    ```
    """
    if count < 1:
        raise ValueError(f"Expected 1 row a class or more. Received: count={count}")
    if column not in dataset.features:
        raise ValueError(
            f"Expected classes in the column {column!r}. Received: "
            f"{dataset.column_names}"
        )
    _, classes = np.unique(np.array(dataset[column]), return_inverse=True)
    # Of a permutation of all rows, the first ones of each class.
    order = np.random.default_rng(seed).permutation(len(dataset))
    taken = [order[classes[order] == c][:count] for c in range(classes.max() + 1)]
    return dataset.select(np.sort(np.concatenate(taken)))
