"""Reads a variable now."""

from keras import ops


def read_value(variable):
    """Makes a tensor of what a variable holds at this moment.

    On TensorFlow `variable.value` is the variable itself, which is read later, and a
    function with a gradient of its own must not read one.

    Args:
        variable: `keras.Variable` or tensor.

    Returns:
        Tensor of the same shape.
    """
    return ops.reshape(variable, ops.shape(variable))
