"""Training rows without those that a test set made elsewhere holds too."""

from kftune.data.row_keys import row_keys
from kftune.data.same_text import text_columns


def drop_overlap(dataset, test, *, group_by="group", columns=None):
    """Drops rows that share a text or a group with rows of another dataset.

    Texts are compared as in `split`: case and white space aside, and in parallel text
    source and target each by itself.

    Args:
        dataset: `datasets.Dataset`, the rows to train on.
        test: `datasets.Dataset` with the same text columns.
        group_by: `str` or `None`. Column of the groups, ignored unless both have it;
            `None`, blank and NaN are no group.
        columns: sequence of `str`. The text columns; `None` takes `text`,
            or `source` and `target`.

    Returns:
        `datasets.Dataset`, the other rows in their order.

    Raises:
        ValueError: if a text column is missing in either.

    Example:
    ```python
    from datasets import Dataset
    from kftune.data import drop_overlap

    rows = Dataset.from_dict({"text": ["Fine.", "Dull.", "So so."]})
    test = Dataset.from_dict({"text": ["fine."]})
    drop_overlap(rows, test)["text"]  # ["Dull.", "So so."]
    ```
    """
    columns = text_columns(dataset, columns)
    grouped = group_by in dataset.features and group_by in test.features
    group_by = group_by if grouped else None
    test_rows = row_keys(test, text_columns(test, columns), group_by)
    held_out = {key for _, keys in test_rows for key in keys}
    rows = enumerate(row_keys(dataset, columns, group_by))
    return dataset.select([i for i, (_, keys) in rows if held_out.isdisjoint(keys)])
