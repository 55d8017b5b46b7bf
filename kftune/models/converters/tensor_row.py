"""One line of the table between a Hugging Face file and our weights."""

import dataclasses
import math
import operator

import keras
import numpy as np


@dataclasses.dataclass(frozen=True)
class TensorRow:
    """A tensor in a file and the weights that hold the same numbers.

    The axes of a weight are `input_axes` axes of inputs and then those of outputs; its
    tensor has them flat: `(inputs, outputs)`, or `(outputs, inputs)` in PyTorch's
    `Linear`. Several weights stand side by side in one tensor.

    Attributes:
        name: `str`, of the tensor, as it is written.
        layers: tuple of layers.
        weight: `str`, the attribute of each layer that is its weight.
        input_axes: `int`. 0 for vectors.
        transposed: `bool`. True for `(outputs, inputs)`.
        copies: tuple of `str`: other names under which the same tensor may stand. Any
            of all the names will do; all that are there must be equal.
        unused_rows: `int`, rows of the tensor before the first one that is used.
        as_row: `bool`. True for a vector that the file holds as `(1, n)`.
        optional: `bool`. True: may be missing, with all of its module; the weight then
            keeps what it has.

    Example:
    ```python
    row = TensorRow("fc1.weight", (dense,), "kernel", input_axes=1, transposed=True)
    row.assign(np.ones(row.shape, "float32"))
    row.tensor()  # the same ones
    ```
    """

    name: str
    layers: tuple
    weight: str
    input_axes: int = 0
    transposed: bool = False
    copies: tuple = ()
    unused_rows: int = 0
    as_row: bool = False
    optional: bool = False

    @property
    def shape(self):
        """Tuple of `int`: shape of the tensor in the file."""
        inputs, outputs = zip(*map(self._flat_shape, self._weights()), strict=True)
        if not self.input_axes:
            return (1, sum(outputs)) if self.as_row else (sum(outputs),)
        shape = (inputs[0] + self.unused_rows, sum(outputs))
        return shape[::-1] if self.transposed else shape

    def tensor(self):
        """Gives the tensor for the file.

        Returns:
            NumPy array, `float32`.
        """
        flat = [
            _as_numpy(weight).reshape(self._flat_shape(weight))
            for weight in self._weights()
        ]
        matrix = np.concatenate(flat, axis=-1)  # (inputs, outputs)
        matrix = np.pad(matrix, ((self.unused_rows, 0), (0, 0)))
        matrix = matrix.T if self.transposed else matrix
        return np.ascontiguousarray(matrix.reshape(self.shape))

    def assign(self, tensor):
        """Puts the numbers of a tensor into the weights.

        Args:
            tensor: NumPy array of `shape`.
        """
        matrix = tensor.T if self.transposed else np.atleast_2d(tensor)
        matrix = matrix[self.unused_rows :].astype("float32")
        weights = self._weights()
        ends = np.cumsum([self._flat_shape(weight)[1] for weight in weights])
        for weight, part in zip(
            weights, np.split(matrix, ends[:-1], axis=-1), strict=True
        ):
            weight.assign(part.reshape(weight.shape))

    def _weights(self):
        return [getattr(layer, self.weight) for layer in self.layers]

    def _flat_shape(self, weight):
        inputs, outputs = (
            weight.shape[: self.input_axes],
            weight.shape[self.input_axes :],
        )
        return math.prod(inputs), math.prod(outputs)


def dense_rows(name, path, *, input_axes=1, transposed=True):
    """Makes the rows of kernel and bias of a dense layer, or of several side by side.

    Args:
        name: `str`, of the module in the file.
        path: `str`, or tuple of them: where the layers are in a block.
        input_axes: `int`, of the kernel.
        transposed: `bool`, as in `TensorRow`.

    Returns:
        Function from a prefix of names and a block to the list of rows.
    """
    paths = (path,) if isinstance(path, str) else path

    def rows(prefix, block):
        layers = tuple(operator.attrgetter(p)(block) for p in paths)
        kernel = f"{prefix}{name}.weight"
        return [
            TensorRow(kernel, layers, "kernel", input_axes, transposed),
            TensorRow(f"{prefix}{name}.bias", layers, "bias"),
        ]

    return rows


def norm_rows(name, path):
    """Makes the rows of scale and shift of a layer normalization; as `dense_rows`.

    Args:
        name: `str`, of the module in the file.
        path: `str`: where the layer is in a block.

    Returns:
        Function from a prefix of names and a block to the list of rows.
    """

    def rows(prefix, block):
        layers = (operator.attrgetter(path)(block),)
        return [
            TensorRow(f"{prefix}{name}.weight", layers, "gamma"),
            TensorRow(f"{prefix}{name}.bias", layers, "beta"),
        ]

    return rows


def _as_numpy(weight):
    return keras.ops.convert_to_numpy(keras.ops.cast(weight, "float32"))
