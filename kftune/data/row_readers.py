"""One generator a text format: from a file to rows of named columns.

Each yields pairs of the line on which a row begins (`int`, from 1) and the row (`dict`
of column names to values), and raises `ValueError` that names the file and the line.
"""

import contextlib
import csv
import itertools
import json

from ftfy.fixes import fix_surrogates

from kftune.data.text_lines import numbered_lines
from kftune.error_text import shortened

_LONGEST_FIELD = 2**31 - 1
_MISSING_LINE = (None, None)


def read_csv(path, encoding="utf-8", column_names=None, delimiter=","):
    r"""Yields the rows of a comma-separated file; all values are strings.

    Quoting is RFC 4180's: a field in `"` may hold commas, line ends and doubled `""`.
    Blank lines are skipped.

    Args:
        path: `Path`.
        encoding: `str`.
        column_names: sequence of `str` for a file without a header line.
        delimiter: `str` of one character, what stands between fields.

    Yields:
        Pairs of line number and row.

    Raises:
        ValueError: if quotes do not match, or a row has more or fewer fields than
            there are columns.
    """
    lines = numbered_lines(path, encoding, newline="")
    texts = (line for _, line in lines)
    reader = csv.reader(texts, strict=True, delimiter=delimiter)
    with long_fields():
        yield from _named(path, _csv_records(path, reader), column_names)


def read_tsv(path, encoding="utf-8", column_names=None):
    r"""Yields the rows of a tab-separated file; all values are strings.

    Every line is one row and quotes are ordinary characters: tab-separated text is
    mostly written so, and a lone `"` at the start of a text must not swallow the rows
    below it. Blank lines are skipped.

    Args:
        path: `Path`.
        encoding: `str`.
        column_names: sequence of `str` for a file without a header line.

    Yields:
        Pairs of line number and row.

    Raises:
        ValueError: if a row has more or fewer fields than there are columns.
    """
    lines = numbered_lines(path, encoding)
    records = ((number, line.split("\t")) for number, line in lines if line)
    yield from _named(path, records, column_names)


def read_jsonl(path, encoding="utf-8"):
    """Yields one row for each line that holds a JSON object.

    Args:
        path: `Path`.
        encoding: `str`.

    Yields:
        Pairs of line number and row. Blank lines are skipped, halves of a surrogate
        pair are replaced by U+FFFD.

    Raises:
        ValueError: if a line is not a JSON object.
    """
    for number, line in numbered_lines(path, encoding):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(
                f"{path}, line {number}: expected a JSON object. Received: "
                f"{shortened(line)} ({error})"
            ) from None
        if not isinstance(row, dict):
            raise ValueError(
                f"{path}, line {number}: expected a JSON object, one a line. "
                f"Received: {shortened(line)}"
            )
        yield number, _without_surrogates(row) if "\\u" in line else row


def read_text(path, encoding="utf-8"):
    """Yields one row with the column `text` for each line, blank ones as well."""
    for number, line in numbered_lines(path, encoding):
        yield number, {"text": line}


def read_parallel(source_path, target_path, encoding="utf-8"):
    """Yields rows of `source` and `target` from two files that match line by line.

    Args:
        source_path: `Path`.
        target_path: `Path`.
        encoding: `str`. Of both files.

    Yields:
        Pairs of line number and row.

    Raises:
        ValueError: if one file has more lines; the message has both counts. Blank
            lines at its end do not count.
    """
    source = numbered_lines(source_path, encoding)
    target = numbered_lines(target_path, encoding)
    lines = itertools.zip_longest(source, target, fillvalue=_MISSING_LINE)
    for (number, source_line), (target_number, target_line) in lines:
        if number is None or target_number is None:
            longer, first = source, source_line
            if number is None:
                longer, first = target, target_line
            surplus = [first, *(text for _, text in longer)]
            if not "".join(surplus).strip():
                return
            common = (number or target_number) - 1
            counts = [common + len(surplus), common]
            if number is None:
                counts.reverse()
            raise ValueError(
                "Expected parallel files with equally many lines. Received: "
                f"{source_path} with {counts[0]} lines, {target_path} with {counts[1]} "
                "lines."
            )
        yield number, {"source": source_line, "target": target_line}


# By the suffix: those with named columns in a header, and those without.
TABLES = {".csv": read_csv, ".tsv": read_tsv}
ROWS = {".jsonl": read_jsonl, ".ndjson": read_jsonl, ".txt": read_text}


@contextlib.contextmanager
def long_fields():
    """Lifts the csv module's limit of 128 KiB a field."""
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _csv_records(path, reader):
    """Yields the line on which a record begins, and its fields."""
    begin = 1
    try:
        for fields in reader:
            if fields:
                yield begin, fields
            begin = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{path}, row that begins at line {begin}: expected quotes in pairs and a "
            "delimiter after a closing one. Received at line "
            f"{reader.line_num}: {error}"
        ) from None


def _named(path, records, column_names):
    """Turns records into rows; the first record names the columns if nobody did."""
    if column_names is None:
        _, column_names = next(records, (0, []))
    names = [name.strip() or f"column_{i}" for i, name in enumerate(column_names)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path}: expected different column names. Twice: {twice}")
    if len(names) == 1 and ";" in names[0]:
        raise ValueError(
            f"{path}: expected columns with commas, or in .tsv tabs, between. "
            f"Received: {names[0]!r}. Name the file .csv and pass delimiter=';'."
        )
    for line, fields in records:
        if len(fields) != len(names):
            raise ValueError(
                f"{path}, line {line}: expected {len(names)} fields, one for each of "
                f"{names}. Received {len(fields)}: {shortened(fields)}"
            )
        yield line, dict(zip(names, fields, strict=True))


def _without_surrogates(value):
    """Mends escaped surrogates, which Arrow cannot store, in nested JSON values."""
    if isinstance(value, str):
        return fix_surrogates(value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {fix_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return value
