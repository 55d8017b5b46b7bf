"""Rows of features in an Arrow file, mapped into memory, that make batches."""

import datasets
import numpy as np
import pyarrow as pa

from kftune.files import write_aside

_ROW = "row"


def write_features(path, columns, batches):
    """Writes features to a file, which is whole or absent.

    Args:
        path: `Path`.
        columns: list of `FeatureColumn`.
        batches: iterator of the row indices, int64 `(B,)`, their real tokens, bool
            `(B, T)`, and the features, a list of arrays, one a column.
    """
    names = list(map(str, range(len(columns))))
    fields = [(name, column.type) for name, column in zip(names, columns, strict=True)]
    schema = pa.schema([(_ROW, pa.int64()), *fields])
    with (
        write_aside(path) as aside,
        pa.OSFile(str(aside), "wb") as file,
        pa.ipc.new_stream(file, schema) as writer,
    ):
        for rows, is_real, features in batches:
            packed = [
                column.pack(feature, is_real)
                for column, feature in zip(columns, features, strict=True)
            ]
            writer.write_batch(pa.record_batch([pa.array(rows), *packed], schema))


class FeatureRows:
    """N rows of features with their targets; stands in for `TokenisedRows`.

    Args:
        path: `Path` of a file of `write_features`.
        columns: list of `FeatureColumn`, those it was written with.
        tokens: `kftune.data.TokenisedRows`, of the same N rows.

    Example:
    ```python
    rows = FeatureRows(path, columns, batches.rows)
    x, y = rows.batch(np.array([3, 1]), length=16)
    ```
    """

    def __init__(self, path, columns, tokens):
        self._file = datasets.Dataset.from_file(str(path)).with_format("arrow")
        self._columns = columns
        self._tokens = tokens
        # Rows stand in the order in which they were computed, short ones first.
        self._places = np.argsort(self._file.data.column(_ROW).to_numpy())

    @property
    def targets(self):
        """As those of the tokenised rows."""
        return self._tokens.targets

    def batch(self, rows, length):
        """Builds one batch, padded on the right.

        Args:
            rows: int64 array of shape `(B,)`, row indices.
            length: `int`. Padded length T, no less than that of any of the rows.

        Returns:
            `(x,)`, `(x, y)` or `(x, y, sample_weight)`. `x` is the array of the only
            feature, or a tuple of those of several, float32 of shape `(B, D)` or
            `(B, T, D)`; the padding mask is int32 `(B, T)`.
        """
        table = self._file[self._places[rows].tolist()]
        is_real = self._tokens.real_tokens(rows, length)
        x = tuple(
            column.unpack(table.column(str(i)).combine_chunks(), is_real)
            for i, column in enumerate(self._columns)
        )
        return x if len(x) > 1 else x[0], *self._tokens.targets_of(rows)
