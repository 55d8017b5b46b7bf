import keras
import numpy as np
import pytest
from keras import ops

from kftune.layers import TransformerBlock
from kftune.layers.rematerialize import rematerialize

pytestmark = pytest.mark.backend

BACKEND = keras.backend.backend()
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 6, 16)).astype("float32")
ENCODED = RNG.normal(size=(2, 5, 16)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]], dtype=bool)


def train(remat):
    """Three steps with dropout, a part frozen; returns the losses and all variables."""
    keras.utils.set_random_seed(3)
    x, encoded = keras.Input((6, 16)), keras.Input((5, 16))
    mask = keras.Input((6,), dtype="bool")
    block = TransformerBlock(
        24,
        4,
        dropout=0.3,
        activation_dropout=0.1,
        use_causal_mask=True,
        use_cross_attention=True,
        remat=remat,
    )
    outputs = block(x, padding_mask=mask, encoder_sequence=encoded)
    block._cross_attention_layer.trainable = False
    model = keras.Model([x, encoded, mask], outputs)
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=BACKEND != "torch")
    keras.utils.set_random_seed(7)  # PyTorch draws its dropout from a global state.
    history = model.fit([X, ENCODED, MASK], X, epochs=3, verbose=0).history
    return history["loss"], [ops.convert_to_numpy(v) for v in model.variables]


@pytest.mark.long
def test_training_with_dropout_gives_the_same_numbers():
    losses, variables = train(remat=True)
    expected_losses, expected_variables = train(remat=False)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-6)
    for actual, expected in zip(variables, expected_variables, strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-6)


def dense_and_tanh():
    layer = keras.layers.Dense(3)
    layer.build((2, 3))
    calls = []

    def function(x):
        calls.append(1)
        return ops.tanh(layer(x))

    return lambda x: ops.sum(rematerialize(layer, function, x)), layer, calls


@pytest.mark.skipif(BACKEND == "jax", reason="JAX traces the function once")
def test_the_function_runs_again_in_the_backward_pass():
    loss_of, layer, calls = dense_and_tanh()
    x = ops.ones((2, 3))
    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = loss_of(x)
        gradient = tape.gradient(loss, x)
    else:
        x.requires_grad_(True)
        loss_of(x).backward()
        gradient = x.grad
    assert len(calls) == 2
    kernel = ops.convert_to_numpy(layer.kernel)
    slope = 1 - np.tanh(np.ones((2, 3)) @ kernel) ** 2
    np.testing.assert_allclose(
        ops.convert_to_numpy(gradient), slope @ kernel.T, rtol=1e-5
    )


@pytest.mark.skipif(BACKEND != "jax", reason="the others run the function itself")
def test_the_backward_pass_of_jax_computes_again():
    import jax

    loss_of, layer, _ = dense_and_tanh()
    x = ops.ones((2, 3))
    plain = jax.make_jaxpr(jax.grad(lambda x: ops.sum(ops.tanh(layer(x)))))(x)
    again = jax.make_jaxpr(jax.grad(loss_of))(x)
    assert str(plain).count("= tanh") == 1
    assert str(again).count("= tanh") == 2
