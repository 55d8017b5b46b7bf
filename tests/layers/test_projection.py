import keras
import numpy as np
import pytest
from keras import ops

from kftune.layers.projection import Projection, projection_equation

pytestmark = pytest.mark.backend

X = np.random.default_rng(0).normal(size=(2, 5, 3, 4)).astype("float32")


@pytest.mark.parametrize(
    ("input_axes", "output_shape", "equation"),
    [
        (1, (6, 2), "abcd,def->abcef"),
        (2, (6,), "abcd,cde->abe"),
        (1, (6,), "abcd,de->abce"),
    ],
)
def test_it_equals_einsum_dense(input_axes, output_shape, equation):
    made, bias_axes = projection_equation(4, input_axes, len(output_shape))
    assert (made, bias_axes) == (equation, equation.split("->")[1][-len(bias_axes) :])
    leading = [None] * (3 - input_axes)
    arguments = {
        "output_shape": (*leading, *output_shape),
        "bias_axes": bias_axes,
        "bias_initializer": "normal",
        "activation": "sigmoid",
        "activity_regularizer": "l2",
    }
    ours, stock = (
        cls(made, **arguments) for cls in (Projection, keras.layers.EinsumDense)
    )
    ours(X), stock(X)
    stock.set_weights(ours.get_weights())
    np.testing.assert_allclose(
        ops.convert_to_numpy(ours(X)), ops.convert_to_numpy(stock(X)), atol=1e-6
    )
    np.testing.assert_allclose(float(ours.losses[0]), float(stock.losses[0]), 1e-5)
    config = ours.get_config()
    assert Projection.from_config(config).get_config() == config


def test_a_subclass_still_refuses_to_quantize():
    class Other(Projection):
        pass

    layer = Other("ab,bc->ac", 3)
    layer.build((2, 4))
    with pytest.raises(NotImplementedError):
        layer.quantize("int8")


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="about TensorFlow's matmul"
)
def test_no_kernel_gradient_a_row_on_tensorflow():
    import tensorflow as tf

    layer = Projection("abc,cde->abde", (None, 2, 3))
    layer.build((8, 5, 4))

    @tf.function(jit_compile=True)
    def slope(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x) ** 2)
        return tape.gradient(loss, layer.trainable_weights[0].value)

    x = tf.ones((8, 5, 4))
    hlo = slope.experimental_get_compiler_ir(x)(stage="optimized_hlo")
    assert "f32[4,6]" in hlo
    assert "f32[8,4,6]" not in hlo
