"""What two rows must not have in common if they stand in different splits."""

from kftune.data.labels import is_missing
from kftune.data.quick_rows import quick_rows
from kftune.data.same_text import fingerprint


def row_keys(dataset, columns, group_by=None):
    """Yields the texts and the group of each row, in a form that compares.

    Args:
        dataset: `datasets.Dataset`.
        columns: sequence of `str`, the text columns.
        group_by: `str` or `None`, the column of the groups.

    Yields:
        Tuple of the row's values by column, and its keys, a list; blank texts and
        missing groups have none.
    """
    for values in quick_rows(dataset, [*columns, *filter(None, [group_by])]):
        filled = [name for name in columns if (values[name] or "").strip()]
        keys = [(name, fingerprint(values[name])) for name in filled]
        if group_by and not is_missing(values[group_by], dataset.features[group_by]):
            keys.append((None, values[group_by]))
        yield values, keys
