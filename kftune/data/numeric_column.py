"""Numbers for a column that came as text, because csv and tsv know nothing else."""

import re

from datasets import Features, Value

_INT = re.compile(r"-?(0|[1-9]\d*)")
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})\.0")
_FLOAT = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")


def with_numbers(dataset, column):
    """Makes a string column `int64` or `float64` if all its values are numbers.

    Blank values become `None`. A value with leading zeros is a code, not a number, and
    leaves the column as it is. `int64` are also numbers that all end with `.0` beside
    blank ones: so pandas writes a column of whole numbers that has gaps. Whole numbers
    that would be rounded leave the column as it is: two classes must not become one.

    Args:
        dataset: `datasets.Dataset`.
        column: `str`. Nothing happens if there is no such column.

    Returns:
        `datasets.Dataset`.
    """
    if column not in dataset.features:
        return dataset
    values = {value.strip() for value in dataset.unique(column)}
    number = _number_type(values - {""}, has_gaps="" in values)
    if number is str:
        return dataset
    dtype = "float64" if number is float else "int64"
    features = Features({**dataset.features, column: Value(dtype)})
    return dataset.map(
        _convert,
        batched=True,
        features=features,
        fn_kwargs={"column": column, "number": number},
    )


def _number_type(values, has_gaps):
    """The function that turns a value into a number; `str` if not all are numbers."""
    whole = {value for value in values if _INT.fullmatch(value)}
    if values and whole == values:
        return int if all(_within(value, 2**63 - 1) for value in whole) else str
    if values and has_gaps and all(_WHOLE.fullmatch(value) for value in values):
        return _whole
    if values and all(_FLOAT.fullmatch(value) for value in values):
        return float if all(_within(value, 2**53) for value in whole) else str
    return str


def _within(value, largest):
    # Python refuses to read thousands of digits.
    return len(value) <= 20 and abs(int(value)) <= largest


def _whole(value):
    return int(value.strip().removesuffix(".0"))


def _convert(batch, column, number):
    return {column: [number(v) if v.strip() else None for v in batch[column]]}
