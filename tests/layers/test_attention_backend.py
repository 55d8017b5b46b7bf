import keras
import numpy as np
import pytest
from keras import ops
from keras.src import backend as keras_backend

from kftune.layers import MultiHeadAttention
from kftune.layers.attention_backend import can_use_flash, can_use_fused

pytestmark = pytest.mark.backend

BACKEND = keras.backend.backend()


def test_the_private_function_is_still_there():
    # An update of Keras that renames it must fail here, not on somebody's GPU.
    if BACKEND == "tensorflow":
        assert not hasattr(keras_backend.nn, "_can_use_flash_attention")
    else:
        assert callable(keras_backend.nn._can_use_flash_attention)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("masked", [False, True])
def test_a_processor_has_no_flash_kernel(dtype, masked):
    heads = ops.ones((2, 8, 2, 16), dtype)
    mask = ops.ones((2, 1, 8, 8), "bool") if masked else None
    assert can_use_flash(heads, heads, heads, mask) is False


@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow has no flash kernel")
def test_the_backend_is_asked_in_its_own_layout(monkeypatch):
    asked = []

    def answer(*tensors):
        asked.append([tuple(x.shape) for x in tensors if hasattr(x, "shape")])
        return True

    monkeypatch.setattr(keras_backend.nn, "_can_use_flash_attention", answer)
    heads = ops.ones((2, 8, 3, 16))
    assert can_use_flash(heads, heads, heads, is_causal=True) is True
    shape = (2, 8, 3, 16) if BACKEND == "jax" else (2, 3, 8, 16)
    assert asked == [[shape] * 3]


@pytest.mark.parametrize("value_dim", [3, 5])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_fused_path_is_taken_where_it_exists(value_dim, dtype):
    assert can_use_fused(3, 3, "float32")
    assert can_use_fused(3, 5, "float32") == (BACKEND != "jax")
    assert can_use_fused(3, 3, "float16") == (BACKEND != "jax")
    layer = MultiHeadAttention(2, 3, value_dim=value_dim, dtype=dtype)
    x = np.ones((1, 4, 6), "float32")
    layer(x, x)
    expected = "fused" if can_use_fused(3, value_dim, dtype) else "einsum"
    assert layer.attention_path == expected
