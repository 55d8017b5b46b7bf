"""What the layer tests share."""

import keras
import numpy as np
import pytest
from keras import ops

_SKIPPED = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.skipped:
        item.parent.getparent(pytest.Module).stash.setdefault(_SKIPPED, []).append(
            f"{item.name}: {report.longrepr[2]}"
        )
    return report


@pytest.fixture
def skipped(request):
    """Tests of the module that were skipped so far, and why."""
    return request.node.getparent(pytest.Module).stash.get(_SKIPPED, [])


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
