import keras
import numpy as np
import pytest
from keras import ops

from kftune.layers import MultiHeadAttention

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 6, 8)).astype("float32")
SOURCE = RNG.normal(size=(3, 5, 7)).astype("float32")
# Padding on the left, on the right, and none.
MASK = np.array([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1] * 6], bool)


def numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def build(value=X, **arguments):
    layer = MultiHeadAttention(4, 3, **arguments)
    layer.build(X.shape, value.shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    return layer


def steps(layer, x, spans, mask=None, length=6):
    """Decodes `x` span by span; returns the outputs and the last cache."""
    cache = layer.init_cache(len(x), length)
    outputs = []
    for start, stop in spans:
        output, cache = layer.step(x[:, start:stop], cache, start, mask)
        outputs.append(numpy(output))
    return np.concatenate(outputs, axis=1), cache


ONE_BY_ONE = [(i, i + 1) for i in range(6)]
PROMPT_FIRST = [(0, 4), (4, 5), (5, 6)]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"num_key_value_heads": 2, "dropout": 0.5},
        {"num_key_value_heads": 1, "use_gate": True, "value_dim": 5},
        {"sliding_window": 2},
    ],
)
@pytest.mark.parametrize("spans", [ONE_BY_ONE, PROMPT_FIRST])
def test_steps_equal_the_full_pass(arguments, spans):
    layer = build(**arguments)
    full = layer(X, X, use_causal_mask=True)
    actual, cache = steps(layer, X, spans)
    np.testing.assert_allclose(actual, numpy(full), atol=2e-6)
    heads = arguments.get("num_key_value_heads", 4)
    sizes = (3, arguments.get("value_dim", 3))
    assert [tuple(x.shape) for x in cache] == [(3, heads, 6, size) for size in sizes]


@pytest.mark.parametrize("num_key_value_heads", [None, 2])
def test_steps_with_padding_equal_the_full_pass(num_key_value_heads):
    layer = build(num_key_value_heads=num_key_value_heads)
    full = layer(X, X, attention_mask=MASK[:, None], use_causal_mask=True)
    actual, _ = steps(layer, X, PROMPT_FIRST, MASK)
    np.testing.assert_allclose(actual, numpy(full), atol=2e-6)
    # A token with padding alone before it attends to nothing.
    bias = numpy(layer.output_dense.bias)
    np.testing.assert_array_equal(actual[0, 0], bias)


def test_a_mask_may_differ_from_token_to_token():
    layer = build()
    mask = np.tril(RNG.random((3, 6, 6)) > 0.3)
    full = layer(X, X, attention_mask=mask)
    cache = layer.init_cache(3, 6)
    first, cache = layer.step(X[:, :4], cache, 0, mask[:, :4])
    second, cache = layer.step(X[:, 4:], cache, 4, mask[:, 4:])
    actual = np.concatenate([numpy(first), numpy(second)], axis=1)
    np.testing.assert_allclose(actual, numpy(full), atol=2e-6)


def test_room_that_is_not_used_yet_changes_no_bit():
    layer = build()
    _, cache = steps(layer, X, [(0, 4)], length=9)
    noise = [np.array(numpy(x)) for x in cache]
    for x in noise:
        x[:, :, 5:] = 100.0
    outputs = [
        numpy(layer.step(X[:, 4:5], [ops.convert_to_tensor(x) for x in pair], 4)[0])
        for pair in (cache, noise)
    ]
    np.testing.assert_array_equal(*outputs)


def test_an_index_may_be_a_tensor():
    layer = build()
    cache = layer.init_cache(3, 6)
    for index in range(3):
        tensor = ops.convert_to_tensor(index, dtype="int32")
        actual, cache = layer.step(X[:, index : index + 1], cache, tensor)
    expected, _ = steps(layer, X, [(0, 3)])
    np.testing.assert_allclose(numpy(actual), expected[:, 2:], atol=2e-6)


def test_rows_of_a_cache_can_be_reordered():
    layer = build()
    order = np.array([2, 0, 0])
    _, cache = steps(layer, X, [(0, 4)])
    moved = [ops.take(x, order, axis=0) for x in cache]
    actual, _ = layer.step(X[:, 4:5], moved, 4)
    expected, _ = steps(layer, np.concatenate([X[order, :4], X[:, 4:5]], 1), [(0, 5)])
    np.testing.assert_allclose(numpy(actual), expected[:, 4:], atol=2e-6)


@pytest.mark.parametrize("arguments", [{}, {"num_key_value_heads": 2}])
@pytest.mark.parametrize("training", [False, True])
def test_attending_to_projected_keys_equals_the_call(arguments, training):
    layer = build(SOURCE, seed=3, dropout=0.0, use_gate=True, **arguments)
    mask = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 0], [1] * 5], bool)
    expected = layer(X, SOURCE, attention_mask=mask[:, None], training=training)
    key_value = layer.project_key_value(SOURCE)
    actual = layer.attend(X, key_value, mask, training=training)
    np.testing.assert_allclose(numpy(actual), numpy(expected), atol=2e-6)
    one = layer.attend(X[:, 2:3], key_value, np.repeat(mask[:, None], 1, axis=1))
    np.testing.assert_allclose(numpy(one), numpy(expected)[:, 2:3], atol=2e-6)


@pytest.mark.parametrize("num_key_value_heads", [4, 2])
def test_attention_weights_are_those_of_the_call(num_key_value_heads):
    layer = build(SOURCE, num_key_value_heads=num_key_value_heads)
    mask = MASK[:, :5]
    _, expected = layer(
        X, SOURCE, attention_mask=mask[:, None], return_attention_scores=True
    )
    projected = layer.project_key_value(SOURCE)
    weights = numpy(layer.attention_weights(X, projected, mask))
    np.testing.assert_allclose(weights, numpy(expected), atol=1e-6)
    assert (weights[~np.broadcast_to(mask[:, None, None], weights.shape)] == 0).all()


def test_attending_keeps_the_sliding_window_and_drops_in_training():
    layer = build(sliding_window=2, dropout=0.5)
    key_value = layer.project_key_value(X)
    expected = numpy(layer(X, X))
    np.testing.assert_allclose(numpy(layer.attend(X, key_value)), expected, atol=2e-6)
    dropped = numpy(layer.attend(X, key_value, training=True))
    assert layer.attention_path == "einsum"
    assert np.abs(dropped - expected).max() > 0.1


@pytest.mark.parametrize("dtype", ["float16", "mixed_bfloat16"])
def test_a_cache_has_the_compute_dtype(dtype):
    layer = build(dtype=dtype)
    x = ops.cast(X, layer.compute_dtype)
    actual, cache = steps(layer, x, PROMPT_FIRST)
    dtypes = {keras.backend.standardize_dtype(part.dtype) for part in cache}
    assert dtypes == {layer.compute_dtype}
    full = numpy(layer(x, x, use_causal_mask=True))
    # bfloat16 has 8 bits: sums in another order differ by a percent.
    np.testing.assert_allclose(actual, full, rtol=0.03, atol=0.05)


def test_errors_name_what_was_received():
    layer = build()
    cache = layer.init_cache(3, 4)
    with pytest.raises(ValueError, match=r"length 4.*index=3, query.shape=\(3, 2, 8\)"):
        layer.step(X[:, :2], cache, 3)
    with pytest.raises(ValueError, match=r"shape \(3, 1, 6, 8\)"):
        layer.project_key_value(X[:, None])
