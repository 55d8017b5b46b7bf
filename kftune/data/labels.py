"""Class names in place of whatever a file calls its classes."""

import math
import re

from datasets import ClassLabel, Features, LargeList, List

_INT = re.compile(r"-?\d+")
_UNKNOWN_CLASS = -1  # what datasets writes for a row of an unlabelled split


def encode_labels(dataset, names=None, *, column="label"):
    """Numbers the classes from 0 and keeps their names with the column.

    Lists of labels (multi-label) and floating-point numbers (regression) are left as
    they are, whole ones such as 4.0 as well.

    Args:
        dataset: `datasets.Dataset`.
        names: sequence of `str`. Class names in the order of their numbers; `None`
            takes the values of the column, sorted, whole numbers by their size.
            A value is the class of that name. Whole numbers are positions in `names`
            if none of the names is itself a whole number.
        column: `str`.

    Returns:
        `datasets.Dataset` whose `column` is of type `ClassLabel`; its names are
        `dataset.features[column].names`.

    Raises:
        ValueError: if the column is missing or holds objects, there are fewer than two
            classes, a row has no label, a label is not among `names` (all unknown ones
            are listed), or `names` are given for lists or floating-point numbers.

    Example:
    ```python
    from datasets import Dataset
    from kftune.data import encode_labels

    rows = Dataset.from_dict({"text": ["Fine.", "Dull."], "label": ["pos", "neg"]})
    rows = encode_labels(rows)
    rows["label"]  # [1, 0]
    rows.features["label"].names  # ["neg", "pos"]
    ```
    """
    if column not in dataset.features:
        raise ValueError(
            f"Expected labels in the column {column!r}; read(source, label=...) names "
            f"the column that holds them. Received: {dataset.column_names}"
        )
    feature = dataset.features[column]
    if isinstance(feature, dict):
        raise ValueError(
            f"Expected strings, numbers or lists of them in the column {column!r}. "
            f"Received: objects with {list(feature)}. Make a column of what is to be "
            "predicted: dataset.flatten() gives one for each key."
        )
    if is_list_or_float(feature):
        _check_nameless(names, column, feature)
        return dataset
    classes = {value: _class_of(value, feature) for value in dataset.unique(column)}
    if None in classes.values():
        raise ValueError(
            f"Expected a label in every row of {column!r}; clean(dataset) drops the "
            f"others. Received: {[v for v in classes if classes[v] is None]}"
        )
    found = sorted(set(classes.values()), key=_order(classes.values()))
    names, numbers = _numbered(found, names, feature)
    return dataset.map(
        _encode,
        batched=True,
        fn_kwargs={
            "column": column,
            "numbers": {value: numbers[name] for value, name in classes.items()},
        },
        features=Features({**dataset.features, column: ClassLabel(names=names)}),
        desc="Numbering classes",
    )


def class_names(dataset, *, column="label"):
    """Gives the names of the classes that `encode_labels` has numbered.

    Args:
        dataset: `datasets.Dataset`.
        column: `str`.

    Returns:
        List of `str`, in the order of their numbers.

    Raises:
        ValueError: if the column holds no numbered classes, but lists or scores.

    Example:
    ```python
    rows = Dataset.from_dict({"text": ["a", "b"], "label": ["no", "yes"]})
    class_names(encode_labels(rows))  # ["no", "yes"]
    ```
    """
    feature = dataset.features[column]
    if not isinstance(feature, ClassLabel):
        raise ValueError(
            f"Expected classes in {column!r}, strings or whole numbers, one a row. "
            f"Received: {feature}. Several labels a row, and scores, need a task with "
            "another problem_type, see kftune.models.TextClassifier."
        )
    return feature.names


def _check_nameless(names, column, feature):
    """Refuses class names for a column that is not numbered."""
    if names is not None:
        raise ValueError(
            f"Expected strings or integers in {column!r}, to give them the names "
            f"{list(names)}. Received: {feature}. Leave names out for multi-label or "
            f"regression; for classes that are written as 1.0, call "
            f'dataset.cast_column({column!r}, datasets.Value("int64")) before.'
        )


def is_list_or_float(feature):
    """Whether a column's type is that of multi-label or of regression targets."""
    dtype = getattr(feature, "dtype", None) or ""
    return isinstance(feature, List | LargeList) or dtype.startswith("float")


def is_missing(value, feature):
    """Whether a row has no label or group: `None`, blank, NaN, or the unknown class.

    Args:
        value: the label or group.
        feature: the type of its column, from `dataset.features`.

    Returns:
        `bool`.
    """
    if isinstance(feature, ClassLabel):
        return value is None or value == _UNKNOWN_CLASS
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def _class_of(value, feature):
    """The class name that a value stands for; None for a missing label."""
    if is_missing(value, feature):
        return None
    return (
        feature.int2str(value)
        if isinstance(feature, ClassLabel)
        else str(value).strip()
    )


def _order(classes):
    """Sorts whole numbers by size, so that "10" comes after "9"."""
    return int if all(_INT.fullmatch(name) for name in classes) else str


def _numbered(found, names, feature):
    """All class names, and the number of each class that was found."""
    if names is None and len(found) < 2:
        raise ValueError(f"Expected at least two classes. Received: {found}")
    if names is None:
        names = feature.names if isinstance(feature, ClassLabel) else found
    names = list(names)
    if len(set(names)) < max(2, len(names)):
        raise ValueError(f"Expected two or more different names. Received: {names}")
    keys = {name: number for number, name in enumerate(names)}
    if not any(_INT.fullmatch(name) for name in names):
        keys |= {str(number): number for number in range(len(names))}
    unknown = [name for name in found if name not in keys]
    if unknown:
        raise ValueError(f"Expected labels among {names}. Received: {unknown}")
    return names, keys


def _encode(batch, column, numbers):
    """Class numbers for the values of a batch."""
    return {column: [numbers[value] for value in batch[column]]}
