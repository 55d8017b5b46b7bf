"""What the layer tests share."""

import keras
import numpy as np
import pytest
from keras import ops


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(7)


@pytest.fixture
def gradient():
    """Function: gradient of a scalar function at one NumPy array, as NumPy."""
    return {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[
        keras.backend.backend()
    ]


def _tensorflow(function, x):
    import tensorflow as tf

    x = ops.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = function(x)
    return ops.convert_to_numpy(tape.gradient(value, x))


def _jax(function, x):
    import jax

    return np.asarray(jax.grad(function)(ops.convert_to_tensor(x)))


def _torch(function, x):
    x = ops.convert_to_tensor(x).requires_grad_(True)
    function(x).backward()
    return ops.convert_to_numpy(x.grad)
