"""Numbers for a column that came as text, because csv and tsv know nothing else."""

import re

from datasets import Features, Value

_INT = re.compile(r"-?(0|[1-9]\d{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")


def with_numbers(dataset, column):
    """Makes a string column `int64` or `float64` if all its values are numbers.

    Blank values become `None`. A value with leading zeros is a code, not a number, and
    leaves the column as it is.

    Args:
        dataset: `datasets.Dataset`.
        column: `str`. Nothing happens if there is no such column.

    Returns:
        `datasets.Dataset`.
    """
    if column not in dataset.features:
        return dataset
    values = [value.strip() for value in dataset.unique(column) if value.strip()]
    number = _number_type(values)
    if number is str:
        return dataset
    features = Features(
        {**dataset.features, column: Value({int: "int64", float: "float64"}[number])}
    )
    return dataset.map(
        _convert,
        batched=True,
        features=features,
        fn_kwargs={"column": column, "number": number},
    )


def _number_type(values):
    if values and all(_INT.fullmatch(value) for value in values):
        return int
    if values and all(_FLOAT.fullmatch(value) for value in values):
        return float
    return str


def _convert(batch, column, number):
    return {column: [number(v) if v.strip() else None for v in batch[column]]}
