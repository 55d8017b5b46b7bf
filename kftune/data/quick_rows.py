"""Rows of a dataset one by one, read in batches because single reads are slow."""

_ROWS_PER_BATCH = 1000


def quick_rows(dataset, columns):
    """Yields rows several times as fast as iterating over the dataset does.

    Args:
        dataset: `datasets.Dataset`.
        columns: sequence of `str`, at least one.

    Yields:
        `dict` of the columns to their values.
    """
    for batch in dataset.select_columns(columns).iter(_ROWS_PER_BATCH):
        for values in zip(*(batch[name] for name in columns), strict=True):
            yield dict(zip(columns, values, strict=True))
