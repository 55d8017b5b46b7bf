"""Translations that a run has left in its folder."""

import csv

_COLUMNS = {"source", "target"}


def read_outputs(folder):
    """Reads the tables of sources, targets and translations in the folder of a run.

    Args:
        folder: `Path`.

    Returns:
        `dict` of file name to a list of rows, each a `dict` of column to `str`: of
        `source`, `target`, and one column or several of translations. Tables without
        these columns are left out.

    Raises:
        ValueError: if a table is damaged.
    """
    tables = {path.name: _read(path) for path in sorted(folder.glob("*.tsv"))}
    return {name: rows for name, rows in tables.items() if rows}


def _read(path):
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t", strict=True)
            if not set(reader.fieldnames or ()) > _COLUMNS:
                return []
            rows = list(reader)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no whole table in UTF-8: {error}") from error
    short = [i for i, row in enumerate(rows, start=1) if None in (*row, *row.values())]
    if short:
        raise ValueError(
            f"Expected as many columns in each row of {path} as it has names. Received "
            f"{len(short)} other rows, the first of them row {short[0]}."
        )
    return rows
