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
    test, _ = clean(read(test_source, **columns))
    has_classes = not is_list_or_float(rows.features["label"])
    test = encode_labels(test, class_names(rows) if has_classes else None)
    rows = drop_overlap(rows, test)
    return {**split(rows, validation=0.1, test=0, seed=seed), "test": test}
