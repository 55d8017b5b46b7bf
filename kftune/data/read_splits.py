"""From a source of labelled text to its parts for training, validation and test."""

from kftune.data.clean import clean
from kftune.data.drop_overlap import drop_overlap
from kftune.data.labels import class_names, encode_labels, is_list_or_float
from kftune.data.read import read
from kftune.data.split import split


def read_splits(source, test_source=None, *, seed=0, **columns):
    """Reads, cleans, numbers the classes, and splits; no text stands in two parts.

    Validation is a tenth of the rows, and so is test unless it has a source of its own.
    The same source and seed give the same parts.

    Args:
        source: what `kftune.data.read` takes.
        test_source: the same, to test on; or `None`.
        seed: `int`, of the split.
        **columns: `text`, `label`, `group`, `encoding` and `delimiter` of
            `kftune.data.read`, for both.

    Returns:
        Dict of `"train"`, `"validation"` and `"test"` to `datasets.Dataset`.

    Raises:
        FileNotFoundError: as `read`.
        ValueError: as `read`, `clean`, `encode_labels` and `split`.

    Example:
    ```python
    splits = read_splits("tickets.csv", text="question", label="queue")
    ```
    """
    rows, _ = clean(read(source, **columns))
    rows = encode_labels(rows)
    if test_source is None:
        return dict(split(rows, validation=0.1, test=0.1, seed=seed))
    test = read(test_source, **columns)
    kind = rows.features["label"]
    if is_list_or_float(kind) and "label" in test.features:
        test = _as_scores(test, kind)
    test, _ = clean(test)
    names = None if is_list_or_float(kind) else class_names(rows)
    test = encode_labels(test, names)
    rows = drop_overlap(rows, test)
    return {**split(rows, validation=0.1, test=0, seed=seed), "test": test}


def _as_scores(rows, kind):
    """Whole scores as numbers of the other part's type; alone they would be classes."""
    label = rows.features["label"]
    is_whole = getattr(label, "dtype", "").startswith(("int", "uint"))
    return rows.cast_column("label", kind) if is_whole else rows
