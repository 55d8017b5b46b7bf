"""What XLA makes of the attention layer and the block, on TensorFlow and JAX."""

import re

import keras
import numpy as np
import pytest
from keras import ops

from kftune.layers import MultiHeadAttention, TransformerBlock

BACKEND = keras.backend.backend()
pytestmark = [
    pytest.mark.backend,
    pytest.mark.skipif(BACKEND == "torch", reason="PyTorch has no XLA here"),
]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 6, 16)).astype("float32")
ENCODED = RNG.normal(size=(2, 5, 16)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]], bool)
# What calls back into Python is named so in StableHLO and in HLO.
CALLBACK = re.compile("callback|py_func|host_compute|outside_compilation", re.I)


class Compiled:
    """A function of tensors compiled by XLA, the same on both backends."""

    def __init__(self, function):
        if BACKEND == "jax":
            import jax

            self.function = jax.jit(function)
        else:
            import tensorflow as tf

            self.function = tf.function(function, jit_compile=True)

    def __call__(self, *arrays):
        return self.function(*map(ops.convert_to_tensor, arrays))

    def traces(self):
        """Returns how often the function was traced."""
        if BACKEND == "jax":
            return self.function._cache_size()
        return self.function.experimental_get_tracing_count()

    def hlo(self, *arrays):
        """Returns what XLA compiled, as text."""
        tensors = [ops.convert_to_tensor(array) for array in arrays]
        if BACKEND == "jax":
            return self.function.lower(*tensors).compile().as_text()
        return self.function.experimental_get_compiler_ir(*tensors)(
            stage="optimized_hlo"
        )


def build_attention(**arguments):
    layer = MultiHeadAttention(4, 4, **arguments)
    layer.build(X.shape, X.shape)
    return layer


def build_block(**arguments):
    block = TransformerBlock(
        24, 4, use_causal_mask=True, use_cross_attention=True, **arguments
    )
    block.build(X.shape, ENCODED.shape)
    return block


def decode(block, x, encoded):
    """All tokens of `x` in one loop with a cache; returns the last output."""
    cache = block.init_cache(2, x.shape[1])
    key_value = block.project_encoder(encoded)

    def body(index, output, cache):
        token = ops.slice(x, (0, index, 0), (2, 1, 16))
        output, cache = block.step(token, cache, index, encoder_key_value=key_value)
        return index + 1, output, cache

    state = (ops.convert_to_tensor(0, dtype="int32"), ops.zeros((2, 1, 16)), cache)
    _, output, _ = ops.while_loop(
        lambda index, *_: index < x.shape[1], body, state, maximum_iterations=6
    )
    return output


FUNCTIONS = {
    "causal": lambda layer, x: layer(x, x, use_causal_mask=True),
    "masks": lambda layer, x: layer(
        x, x, attention_mask=MASK[:, None], use_causal_mask=True
    ),
    "scores": lambda layer, x: layer(x, x, return_attention_scores=True)[0],
    "attend": lambda layer, x: layer.attend(x, layer.project_key_value(x), MASK),
    "step": lambda layer, x: layer.step(x, layer.init_cache(2, 8), 1)[0],
}


@pytest.mark.long
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("num_key_value_heads", [None, 2])
def test_compiled_equals_eager(name, num_key_value_heads):
    layer = build_attention(num_key_value_heads=num_key_value_heads)
    eager = FUNCTIONS[name](layer, ops.convert_to_tensor(X))
    compiled = Compiled(lambda x: FUNCTIONS[name](layer, x))(X)
    np.testing.assert_allclose(compiled, eager, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16"])
def test_half_precision_compiles_and_stays_near(dtype):
    exact = build_attention(num_key_value_heads=2)
    layer = build_attention(num_key_value_heads=2, dtype=dtype)
    layer.set_weights(exact.get_weights())

    def call(x):
        full = FUNCTIONS["masks"](layer, ops.cast(x, layer.compute_dtype))
        token = ops.cast(x[:, 5:], layer.compute_dtype)
        step, _ = layer.step(token, layer.init_cache(2, 6), 5, MASK)
        return ops.cast(full, "float32"), ops.cast(step, "float32")

    full, step = Compiled(call)(X)
    np.testing.assert_allclose(full, FUNCTIONS["masks"](exact, X), atol=0.05)
    expected, _ = exact.step(X[:, 5:], exact.init_cache(2, 6), 5, MASK)
    np.testing.assert_allclose(step, expected, atol=0.05)


def test_compiled_gradients_equal_eager_ones(gradient):
    block = build_block(dropout=0.0)

    def loss(x):
        return ops.sum(block(x, MASK, ops.convert_to_tensor(ENCODED)) ** 3)

    eager = gradient(loss, X)
    compiled = gradient(Compiled(loss), X)
    np.testing.assert_allclose(compiled, eager, atol=1e-5 * np.abs(eager).max())


def test_a_loop_with_a_cache_equals_the_full_pass():
    block = build_block()
    full = block(X, encoder_sequence=ENCODED)
    last = Compiled(lambda x, encoded: decode(block, x, encoded))(X, ENCODED)
    np.testing.assert_allclose(last, full[:, -1:], atol=1e-5)


def test_a_known_shape_is_traced_once():
    layer = build_attention()
    call = Compiled(lambda x: layer(x, x, use_causal_mask=True))
    for _ in range(3):
        call(X)
    assert call.traces() == 1
    call(X[:, :4])
    assert call.traces() == 2
    call(X)
    assert call.traces() == 2


def test_an_index_in_a_tensor_is_no_new_trace():
    layer = build_attention()
    step = Compiled(lambda x, k, v, index: layer.step(x, (k, v), index))
    cache = layer.init_cache(2, 6)
    for index in range(3):
        _, cache = step(X[:, :1], *cache, np.array(index, "int32"))
    assert step.traces() == 1


def test_nothing_calls_back_into_python():
    block = build_block(dropout=0.1)
    call = Compiled(lambda x, encoded: block(x, MASK, encoded, training=False))
    assert not CALLBACK.search(call.hlo(X, ENCODED))
    loop = Compiled(lambda x, encoded: decode(block, x, encoded))
    assert not CALLBACK.search(loop.hlo(X, ENCODED))


def loop_body(hlo):
    """Returns the text of the one loop's body and of all that it calls."""
    blocks = re.findall(r"^(?:ENTRY )?%(\S+) .*\{\n((?:.*\n)*?)\}", hlo, re.MULTILINE)
    computations = dict(blocks)
    (waiting,) = [{name} for name in re.findall(r" body=%([^\s,]+)", hlo)]
    text, seen = "", set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        text += computations[name]
        called = re.findall(r"(?:calls|to_apply)=%([^\s,}]+)", computations[name])
        waiting |= set(called) - seen
    return text


def test_a_loop_writes_its_cache_in_place():
    block = build_block(num_key_value_heads=2)
    loop = Compiled(lambda x, encoded: decode(block, x, encoded))
    body = loop_body(loop.hlo(X, ENCODED))
    assert len(re.findall(r"f32\[2,2,6,4\]\S* dynamic-update-slice\(", body)) == 2
    # No step moves as many numbers as the cache, or the encoder's keys, hold.
    moved = re.findall(r"f32\[([\d,]+)\]\S* (?:copy|transpose|concatenate)\(", body)
    sizes = [np.prod([int(size) for size in shape.split(",")]) for shape in moved]
    assert max(sizes, default=0) < 2 * 2 * 6 * 4


@pytest.mark.skipif(BACKEND != "jax", reason="jax.export lowers for absent devices")
class TestLoweringForCuda:
    def export(self, function, *arrays):
        import jax

        exported = jax.export.export(jax.jit(function), platforms=["cuda"])(*arrays)
        module = exported.mlir_module()
        assert exported.platforms == ("cuda",)
        assert not CALLBACK.search(module)
        return module

    @pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "bfloat16"])
    def test_the_layer(self, dtype):
        layer = build_attention(dtype=dtype, num_key_value_heads=2)
        module = self.export(lambda x: FUNCTIONS["masks"](layer, x), X)
        assert "stablehlo.dot_general" in module

    def test_a_training_step(self):
        import jax

        inputs = keras.Input((6, 16))
        block = TransformerBlock(24, 4, dropout=0.1, use_causal_mask=True, remat=True)
        model = keras.Model(inputs, block(inputs))
        optimizer = keras.optimizers.AdamW()
        optimizer.build(model.trainable_variables)

        def loss(trainable, other, x):
            output, other = model.stateless_call(trainable, other, x, training=True)
            return ops.mean(output**2), other

        def step(trainable, other, state, x):
            gradients, other = jax.grad(loss, has_aux=True)(trainable, other, x)
            return optimizer.stateless_apply(state, gradients, trainable), other

        values = [
            [variable.value for variable in variables]
            for variables in (
                model.trainable_variables,
                model.non_trainable_variables,
                optimizer.variables,
            )
        ]
        assert "stablehlo.dot_general" in self.export(step, *values, X)

    def test_a_decoding_loop(self):
        block = build_block(num_key_value_heads=2)
        module = self.export(lambda x, encoded: decode(block, x, encoded), X, ENCODED)
        assert "stablehlo.while" in module
        assert "stablehlo.dynamic_update_slice" in module
