"""Tokenised rows with their targets, from which padded batches are built."""

import hashlib
import itertools
from collections.abc import Mapping

import datasets
import keras
import numpy as np

from kftune.error_text import first_few
from kftune.padding import pad_rows

_ROWS_AT_ONCE = 1000


class TokenisedRows:
    """N rows of tokens, with or without targets, that `batch` pads and stacks.

    Args:
        x: sequence of N one-dimensional integer sequences, or a `dict` of such
            sequences, with `"token_ids"` among them and equal lengths row by row.
        y: array of shape `(N, ...)`, a `dict` of such arrays, or `None`.
        sample_weight: array of shape `(N,)`, a `dict` of such arrays, or `None`.
        pad_token_id: `int`. Stands in `"token_ids"` behind the end of a row.

    Raises:
        ValueError: if there is no `"token_ids"`, a row is empty, numbers or lengths of
            rows do not match, or weights come without targets.

    Example:
    ```python
    rows = TokenisedRows([[5, 6, 7], [5]], [0, 1])
    x, y = rows.batch(np.array([1]), length=4)  # token_ids [[5, 0, 0, 0]], y [1]
    ```
    """

    def __init__(self, x, y=None, sample_weight=None, pad_token_id=0):
        if y is None and sample_weight is not None:
            raise ValueError("Expected y together with sample_weight. Received: y=None")
        self._columns = dict(x) if isinstance(x, Mapping) else {"token_ids": x}
        self._targets = [_as_arrays(t) for t in (y, sample_weight) if t is not None]
        self._pad_token_id = pad_token_id
        #: int64 array of shape `(N,)`, tokens a row.
        self.lengths = _row_lengths(self._columns)
        _check_counts(len(self.lengths), self._targets)

    @property
    def targets(self):
        """Arrays `(N, ...)` of the targets, in the structure of `y`, or `None`."""
        return self._targets[0] if self._targets else None

    def batch(self, rows, length):
        """Builds one batch, padded on the right.

        Args:
            rows: int64 array of shape `(B,)`, row indices.
            length: `int`. Padded length T, no less than that of any of the rows.

        Returns:
            `(x,)`, `(x, y)` or `(x, y, sample_weight)`. `x` holds the columns, int32
            of shape `(B, T)`, and `"padding_mask"`, bool of the same shape, True where
            a real token stands.
        """
        x = {
            name: pad_rows(
                _taken(column, rows.tolist()),
                length,
                self._pad_token_id if name == "token_ids" else 0,
            )
            for name, column in self._columns.items()
        }
        x["padding_mask"] = self.real_tokens(rows, length)
        return x, *self.targets_of(rows)

    def real_tokens(self, rows, length):
        """Tells where real tokens stand in padded rows.

        Args:
            rows: int64 array of shape `(B,)`, row indices.
            length: `int`. Padded length T.

        Returns:
            bool array of shape `(B, T)`, True where a real token stands.
        """
        return np.arange(length) < self.lengths[rows, None]

    def targets_of(self, rows):
        """What stands behind `x` in a batch.

        Args:
            rows: int64 array of shape `(B,)`, row indices.

        Returns:
            List of `y` and `sample_weight` of these rows, as far as they were given.
        """
        return keras.tree.map_structure(lambda array: array[rows], self._targets)

    def fingerprint(self, *, targets=False):
        """Hashes the tokens of all rows.

        Args:
            targets: `bool`. True: `y` and `sample_weight` count, too.

        Returns:
            `str`, 64 hexadecimal digits, the same in every process.
        """
        digest = hashlib.sha256(self.lengths.tobytes())
        for name, column in sorted(self._columns.items()):
            digest.update(f"\0{name}\0".encode())
            for row in _each(column):
                digest.update(np.asarray(row, "int32").tobytes())
        for array in keras.tree.flatten(self._targets) if targets else ():
            digest.update(f"\0{array.dtype}{array.shape}\0".encode())
            # The bytes of objects would be where they lie in memory.
            is_object = array.dtype == object
            digest.update(
                repr(array.tolist()).encode() if is_object else array.tobytes()
            )
        return digest.hexdigest()


def _each(column):
    """All rows; of a dataset's column in batches, because single reads are slow."""
    if not isinstance(column, datasets.Column):
        return column
    slices = range(0, len(column), _ROWS_AT_ONCE)
    return itertools.chain.from_iterable(column[i : i + _ROWS_AT_ONCE] for i in slices)


def _taken(column, rows):
    """Some rows of a column; of a dataset's all at once."""
    if isinstance(column, datasets.Column):
        return column[rows]
    return [column[row] for row in rows]


def _as_arrays(values):
    """NumPy arrays for an array or a `dict` of arrays."""
    if isinstance(values, Mapping):
        return {name: np.asarray(value) for name, value in values.items()}
    return np.asarray(values)


def _row_lengths(columns):
    """Tokens a row, int64 of shape `(N,)`, equal in all columns."""
    if "token_ids" not in columns:
        raise ValueError(
            f"Expected a column 'token_ids'. Received: {', '.join(columns) or 'none'}"
        )
    counted = {
        name: np.fromiter(map(len, _each(column)), "int64", len(column))
        for name, column in columns.items()
    }
    lengths = counted["token_ids"]
    if not len(lengths):
        raise ValueError("Expected at least one row. Received: none")
    if not lengths.all():
        raise ValueError(
            "Expected at least one token a row. Received empty rows: "
            f"{first_few(np.flatnonzero(lengths == 0), show=str)}. Drop them first."
        )
    _check_columns(counted, lengths)
    return lengths


def _check_columns(counted, lengths):
    """Lists every column whose rows are not as many and as long as `lengths` says."""
    wrong = []
    for name, others in counted.items():
        if len(others) != len(lengths):
            wrong.append(f"{name!r} with {len(others)} rows")
        elif (others != lengths).any():
            differing = first_few(np.flatnonzero(others != lengths), show=str)
            wrong.append(f"{name!r} with other lengths in rows {differing}")
    if wrong:
        raise ValueError(
            f"Expected {len(lengths)} rows in each column, as long as those of "
            f"'token_ids'. Received: {'; '.join(wrong)}"
        )


def _check_counts(num_rows, targets):
    """Every array of `targets` must have one entry a row."""
    wrong = {len(array) for array in keras.tree.flatten(targets)} - {num_rows}
    if wrong:
        raise ValueError(
            f"Expected {num_rows} entries in y and sample_weight, one a row of x. "
            f"Received: {', '.join(map(str, sorted(wrong)))}"
        )
