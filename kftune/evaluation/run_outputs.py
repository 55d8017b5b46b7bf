"""What the model of a run has written, in the folder of the run."""

import csv

from kftune.data.row_readers import long_fields
from kftune.files import write_aside

_COLUMNS = {"source", "target"}


def write_outputs(path, *, source, target, **outputs):
    """Writes a table of what went into a model and what came out.

    `kftune report` shows its first rows.

    Args:
        path: `str` or `Path` of the TSV file, which appears whole or not at all.
        source: sequence of N `str`, what the model was given.
        target: sequence of N `str`, what people wrote.
        **outputs: sequences of N `str` by name, one or more: what the model wrote.

    Raises:
        ValueError: if there are no outputs, or not as many as sources.

    Example:
    ```python
    write_outputs("samples.tsv", source=["fresh"], target=["A treat."], gpt2=["Fun."])
    ```
    """
    columns = {"source": source, "target": target, **outputs}
    sizes = {name: len(texts) for name, texts in columns.items()}
    if not outputs or len(set(sizes.values())) > 1:
        raise ValueError(
            f"Expected outputs, and as many of them as sources. Received: {sizes}"
        )
    with write_aside(path) as aside, aside.open("w", encoding="utf-8", newline="") as f:
        # All quoted: a bare carriage return would end a line for whoever reads it.
        writer = csv.writer(
            f, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_ALL
        )
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def read_outputs(folder):
    """Reads the tables of sources, targets and outputs in the folder of a run.

    Args:
        folder: `Path`.

    Returns:
        `dict` of file name to a list of rows, each a `dict` of column to `str`: of
        `source`, `target`, and one column or several of the model's. Tables without
        these columns are left out.

    Raises:
        ValueError: if a table is damaged.

    Example:
    ```python
    rows = read_outputs(Path("runs/en-de"))["translations.tsv"]
    ```
    """
    tables = {path.name: _read(path) for path in sorted(folder.glob("*.tsv"))}
    return {name: rows for name, rows in tables.items() if rows}


def _read(path):
    try:
        with long_fields(), path.open(encoding="utf-8", newline="") as file:
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
