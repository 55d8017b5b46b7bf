"""Whether splits have the columns that batches are made of."""


def check_splits(splits, **columns):
    """Checks what a function that makes batches is given.

    Args:
        splits: what should be a dict of name to columns: `datasets.Dataset`s, or dicts.
        **columns: `str` or `None`, which is not needed: names of columns, by the
            argument that the user sets them with.

    Raises:
        TypeError: if it is no dict of columns.
        ValueError: if columns are missing; names those of all splits.
    """
    there = {name: _names(rows) for name, rows in _items(splits)}
    wanted = {option: name for option, name in columns.items() if name is not None}
    missing = {
        split: names
        for split, names in there.items()
        if not set(wanted.values()) <= set(names)
    }
    if missing:
        options = ", ".join(f"{option}={name!r}" for option, name in wanted.items())
        raise ValueError(
            f"Expected splits with the columns of {options}. Received: {missing}"
        )


def _items(splits):
    if isinstance(splits, dict) and all(map(_has_columns, splits.values())):
        return splits.items()
    received = type(splits).__name__
    if isinstance(splits, dict):
        types = {name: type(rows).__name__ for name, rows in splits.items()}
        received += f" of {types}"
    raise TypeError(
        "Expected splits as a dict of name to columns, as kftune.data.split gives "
        f"them. Received: {received}"
    )


def _has_columns(rows):
    return isinstance(rows, dict) or hasattr(rows, "column_names")


def _names(rows):
    return list(rows) if isinstance(rows, dict) else list(rows.column_names)
