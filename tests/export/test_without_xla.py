import keras
import numpy as np
import pytest
import tensorflow as tf

from kftune.export.without_xla import without_xla

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports are traced by TensorFlow"
)


def traced(start):
    def write(x, updates, index):
        return keras.ops.slice_update(x, (0, index, start), updates)

    specs = [
        tf.TensorSpec([None, 5, 3], tf.float32),
        tf.TensorSpec([None, 2, 1], tf.float32),
        tf.TensorSpec([], tf.int32),
    ]
    return tf.function(write, input_signature=specs).get_concrete_function()


def ops_of(function):
    return {node.op for node in function.graph.as_graph_def().node}


def test_writes_as_numpy_does():
    with without_xla():
        write = traced(2)
    x = np.arange(30.0, dtype="float32").reshape(2, 5, 3)
    updates = -np.ones((2, 2, 1), "float32")
    expected = x.copy()
    expected[:, 3:5, 2:] = updates
    np.testing.assert_array_equal(write(x, updates, np.int32(3)), expected)


def test_no_op_needs_xla_inside_and_keras_own_does_outside():
    before = keras.ops.slice_update
    with pytest.raises(ZeroDivisionError), without_xla():
        assert not any(op.startswith("Xla") for op in ops_of(traced(0)))
        raise ZeroDivisionError
    assert keras.ops.slice_update is before
    assert "XlaDynamicUpdateSlice" in ops_of(traced(0))
