"""How one feature of a batch becomes a column of an Arrow file, and comes back."""

import math

import ml_dtypes
import numpy as np
import pyarrow as pa

FEATURE_DTYPES = {
    "float32": np.dtype("float32"),
    "float16": np.dtype("float16"),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}


class FeatureColumn:
    """Stores one vector a row, or one a real token, without padding.

    Letters: B batch, T length, D the sizes behind, of any number.

    Args:
        feature: symbolic tensor `(B, D)` or `(B, T, D)`, an output of a model.
        dtype: `str`, a key of `FEATURE_DTYPES`: how floats are stored.

    Example:
    ```python
    column = FeatureColumn(keras.KerasTensor((None, None, 8)), "float16")
    is_real = np.array([[True, True, False]])
    stored = column.pack(states, is_real)  # a pyarrow list of 2 * 8 numbers
    column.unpack(stored, is_real)  # states, 0 behind the second token
    ```
    """

    def __init__(self, feature, dtype):
        self._by_token = feature.shape[1] is None
        self._shape = feature.shape[2:] if self._by_token else feature.shape[1:]
        self._is_float = "float" in feature.dtype
        self._dtype = np.dtype(
            FEATURE_DTYPES[dtype] if self._is_float else feature.dtype
        )
        # Arrow has no bfloat16.
        is_bfloat16 = self._dtype == FEATURE_DTYPES["bfloat16"]
        self._plain = np.dtype("uint16") if is_bfloat16 else self._dtype

    @property
    def type(self):
        """The `pyarrow.DataType` of the column."""
        return pa.list_(pa.from_numpy_dtype(self._plain))

    def pack(self, array, is_real):
        """Takes the padding away.

        Args:
            array: array `(B, D)` or `(B, T, D)`.
            is_real: bool array `(B, T)`, True where a real token stands.

        Returns:
            `pyarrow.ListArray` of B lists of numbers.

        Raises:
            ValueError: if a number is too large for the dtype.
        """
        array = np.asarray(array)
        counts = is_real.sum(axis=1) if self._by_token else np.ones(len(array), int)
        values = array[is_real] if self._by_token else array
        numbers = self._stored(values).reshape(-1).view(self._plain)
        ends = np.cumsum([0, *counts]) * math.prod(self._shape)
        return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(numbers))

    def unpack(self, column, is_real):
        """Puts the padding back, as zeros.

        Args:
            column: `pyarrow.ListArray` of B lists of numbers.
            is_real: bool array `(B, T)`, True where a real token stands.

        Returns:
            Array `(B, D)` or `(B, T, D)`; floats as float32.
        """
        numbers = column.flatten().to_numpy().view(self._dtype)
        values = numbers.reshape(-1, *self._shape)
        values = values.astype("float32") if self._is_float else values
        if not self._by_token:
            return values
        array = np.zeros((*is_real.shape, *self._shape), values.dtype)
        array[is_real] = values
        return array

    def _stored(self, values):
        with np.errstate(over="ignore"):
            stored = values.astype(self._dtype)
        if (np.isinf(stored) & np.isfinite(values)).any():
            raise ValueError(
                f"Expected features that {self._dtype} can hold. Received: up to "
                f"{np.abs(values).max():.3g}. Pass dtype='bfloat16' or 'float32'."
            )
        return stored
