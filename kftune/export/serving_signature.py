"""What a signature of a served model takes and gives, and columns of values for it."""

import dataclasses

import numpy as np

from kftune.error_text import first_few, shortened

# Names of TensorFlow's DataType, and the kinds of NumPy values that fit into each.
_TYPES = {
    "DT_STRING": (np.dtype(object), ""),
    "DT_FLOAT": (np.dtype(np.float32), "iuf"),
    "DT_DOUBLE": (np.dtype(np.float64), "iuf"),
    "DT_INT32": (np.dtype(np.int32), "iu"),
    "DT_INT64": (np.dtype(np.int64), "iu"),
    "DT_BOOL": (np.dtype(np.bool_), "b"),
}


@dataclasses.dataclass(frozen=True)
class ServingSignature:
    """The inputs and outputs of a signature, with their types.

    Attributes:
        inputs: `dict` of `str`, the name, to `str`, the type by TensorFlow's name for
            it, such as `"DT_STRING"`.
        outputs: `dict` like `inputs`.

    Example:
    ```python
    signature = ServingSignature(
        {"text": "DT_STRING", "seed": "DT_INT64"}, {"completion": "DT_STRING"}
    )
    signature.columns(["One day", "Once"], {"seed": 3})["seed"]  # array([3, 3])
    ```
    """

    inputs: dict[str, str]
    outputs: dict[str, str]

    def columns(self, texts, options):
        """Makes an array for each input, with a value for each text.

        Args:
            texts: list of `str`, for the input `text`.
            options: `dict` of the other inputs by name: a value for all texts, or a
                sequence of one for each.

        Returns:
            `dict` of arrays [B] by input, of its type; strings are `str` in arrays of
            objects.

        Raises:
            ValueError: if inputs are missing or unknown, or values do not fit; names
                all of them.
        """
        known = sorted(self.inputs.keys() - {"text"})
        wrong = []
        if unknown := sorted(options.keys() - set(known)):
            wrong.append(f"no options {unknown} (there are: {first_few(known, 9)})")
        if missing := [name for name in known if name not in options]:
            wrong.append(f"values for {missing} too")
        columns = {}
        values = {**options, "text": texts}
        for name in self.inputs.keys() & values.keys():
            try:
                columns[name] = _column(values[name], self.inputs[name], len(texts))
            except ValueError as error:
                wrong.append(f"{name}: {error}")
        if wrong:
            raise ValueError(f"Expected inputs of the signature: {'; '.join(wrong)}")
        return columns


def typed_array(values, type_name):
    """Makes an array of one of TensorFlow's types, if no value changes by that.

    Args:
        values: number, `str`, nested list of them, or array.
        type_name: `str`, such as `"DT_INT32"`.

    Returns:
        Array of that type and of the shape of the values; strings as `str` in an array
        of objects.

    Raises:
        ValueError: if values are of another type, too large, or lists of different
            lengths.

    Example:
    ```python
    typed_array([1, 2], "DT_FLOAT")  # array([1., 2.], dtype=float32)
    ```
    """
    if type_name not in _TYPES:
        raise ValueError(f"expected one of {sorted(_TYPES)}. Received: {type_name}")
    dtype, kinds = _TYPES[type_name]
    if type_name == "DT_STRING":
        return _strings(values)
    array = _array(values)
    fits = array.dtype.kind in kinds
    if fits and dtype.kind != "f":  # Whole numbers stay as they are, or do not fit.
        fits = bool((array.astype(dtype) == array).all())
    if array.size and not fits:
        raise ValueError(
            f"expected numbers of type {dtype}. Received: {shortened(values)}"
        )
    return array.astype(dtype)


def _strings(values):
    array = _array(values, object)
    if wrong := [value for value in array.ravel() if not _is_utf8(value)]:
        raise ValueError(
            "expected strings that UTF-8 can write. Received: "
            f"{first_few(wrong, 3, shortened)}"
        )
    return array


def _column(values, type_name, rows):
    """An array [rows]; a single value stands in every row."""
    with np.errstate(over="ignore"):
        array = typed_array(values, type_name)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(
            f"expected finite numbers of type {array.dtype}. Received: "
            f"{shortened(values)}"
        )
    if array.ndim == 0:
        return np.full(rows, array.item(), array.dtype)
    if array.shape != (rows,):
        raise ValueError(
            f"expected one value, or {rows}, one for each text. Received: shape "
            f"{array.shape}"
        )
    return array


def _array(values, dtype=None):
    try:
        return np.array(values, dtype)
    except ValueError:  # Lists of different lengths.
        return np.array(None)


def _is_utf8(value):
    """True for a `str` without halves of surrogate pairs, which nobody can send."""
    try:
        return isinstance(value, str) and value.encode("utf-8") is not None
    except UnicodeEncodeError:
        return False
