"""A dense layer over the last axes that always multiplies one plain matrix."""

import math

import keras
from keras import ops

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@keras.saving.register_keras_serializable(package="kftune")
class Projection(keras.layers.EinsumDense):
    """`keras.layers.EinsumDense` for `(..., inputs) -> (..., outputs)`.

    Rows of all leading axes are multiplied as one matrix. A batched product with the
    kernel, which TensorFlow's `matmul` makes of the same equation, copies the kernel
    for each row of the batch and sums as many gradients. Weights, LoRA and
    quantization are those of `EinsumDense`.

    Args:
        equation: `str`. Einsum equation whose kernel holds the contracted axes first
            and the new axes last, such as `"abc,cde->abde"` (see
            `projection_equation`).
        output_shape: tuple of `int`, as in `EinsumDense`.
        **kwargs: Passed to `keras.layers.EinsumDense`.

    Call arguments:
        inputs: float tensor with the axes of the equation.

    Returns:
        Float tensor with the axes of the equation.

    Example:
    ```python
    project = Projection("abc,cde->abde", (None, 2, 3), bias_axes="de")
    project(np.ones((8, 5, 6))).shape  # (8, 5, 2, 3)
    ```
    """

    def __init__(self, equation, output_shape, **kwargs):
        super().__init__(equation, output_shape, **kwargs)
        self.supports_masking = True

    def call(self, inputs, training=None):
        """See the class."""
        kernel = self.kernel
        contracted = _contracted_axes(self.equation)
        leading = ops.shape(inputs)[: len(inputs.shape) - contracted]
        output_axes = kernel.shape[contracted:]
        rows = ops.reshape(inputs, (-1, math.prod(kernel.shape[:contracted])))
        matrix = ops.reshape(kernel, (rows.shape[-1], math.prod(output_axes)))
        outputs = ops.matmul(rows, matrix)  # (rows, outputs)
        outputs = ops.reshape(outputs, (*leading, *output_axes))
        if self.bias is not None:
            outputs = ops.add(outputs, self.bias)
        if self.activation is not None:
            outputs = self.activation(outputs)
        return outputs

    def quantize(self, mode=None, type_check=True, config=None):
        """As `EinsumDense.quantize`, which refuses subclasses."""
        type_check = type_check and type(self) is not Projection
        super().quantize(mode, type_check=type_check, config=config)


def projection_equation(input_rank, input_axes, output_axes):
    """Returns the equation and the bias axes of a `Projection`.

    Args:
        input_rank: `int`. Rank of the input, batch axis included.
        input_axes: `int`. How many last axes of the input are contracted.
        output_axes: `int`. How many axes the output has in their place.

    Returns:
        Tuple of `str`, such as `("abc,cde->abde", "de")`.
    """
    inputs = _LETTERS[:input_rank]
    leading, bound = inputs[:-input_axes], inputs[-input_axes:]
    new = _LETTERS[input_rank : input_rank + output_axes]
    return f"{inputs},{bound}{new}->{leading}{new}", new


def _contracted_axes(equation):
    inputs, rest = equation.split(",")
    kernel = rest.split("->")[0]
    return sum(letter in inputs for letter in kernel)


def clone_initializer(initializer):
    """Returns an initializer that draws numbers of its own.

    One without a seed would draw the same numbers for each kernel that it makes.
    """
    is_initializer = isinstance(initializer, keras.initializers.Initializer)
    return initializer.clone() if is_initializer else initializer
