"""Labels of classes: checked before training, names turned into indices."""

import numpy as np

from kftune.error_text import first_few


def class_indices(labels, head):
    """Gives the labels of a single-label head as indices of its classes.

    Some backends train on an index out of range without a word.

    Args:
        labels: array `(N,)` or `(N, 1)` of class indices or of label names, a dict of
            these by head, or `None`. N examples.
        head: `DenseHead`, or a dict of them by name.

    Returns:
        The labels; names come back as `int32` indices. Labels of other problem types,
        and those with a column for each class, are returned as they are.

    Raises:
        ValueError: if a label is no integer in `[0, C)` and no label name; shows the
            first ones.

    Example:
    ```python
    class_indices(np.array(["fresh"]), DenseHead(2, label_names=["rotten", "fresh"]))
    # array([1], dtype=int32)
    ```
    """
    if isinstance(head, dict) and isinstance(labels, dict):
        return {
            name: class_indices(values, head[name]) if name in head else values
            for name, values in labels.items()
        }
    if labels is None or isinstance(head, dict) or not _is_single_label(head):
        return labels
    array = np.asarray(labels)
    if array.ndim > 1 and array.shape[1:] != (1,):
        return labels
    if array.dtype.kind in "USO" and any(
        isinstance(label, str | bytes) for label in array.flat
    ):
        return _indices_of_names(array, head.label_names)
    _check_indices(array, head.num_classes)
    return labels


def _is_single_label(head):
    return head.problem_type == "single_label_classification"


def _indices_of_names(array, names):
    """The index of each label name."""
    if names is None:
        raise ValueError(
            "Expected integer labels, because the head has no label_names. Received: "
            f"{first_few(array.ravel().tolist())}. Pass label_names for the head."
        )
    index = {name: i for i, name in enumerate(names)}
    labels = array.ravel().tolist()
    if unknown := [label for label in dict.fromkeys(labels) if label not in index]:
        raise ValueError(
            f"Expected labels among the label_names {names}. "
            f"Received: {first_few(unknown)}"
        )
    return np.array([index[label] for label in labels], "int32").reshape(array.shape)


def _check_indices(array, num_classes):
    """Refuses what is no integer in `[0, num_classes)`."""
    wrong = [
        label
        for label in dict.fromkeys(array.ravel().tolist())
        if not isinstance(label, int | float) or label not in range(num_classes)
    ]
    if wrong:
        raise ValueError(
            f"Expected labels that are integers from 0 to {num_classes - 1}, for "
            f"{num_classes} classes. Received: {first_few(wrong)}"
        )
