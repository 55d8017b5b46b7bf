import keras
import numpy as np
import pytest
from keras import ops

from kftune.layers import MultiHeadAttention
from tests.layers.attention_loop import attend

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 6, 8)).astype("float32")
SOURCE = RNG.normal(size=(2, 5, 7)).astype("float32")
CAUSAL = np.tril(np.ones((6, 6), bool))
NEAR = np.abs(np.subtract.outer(np.arange(6), np.arange(6))) < 2
SOME = RNG.random((2, 6, 6)) > 0.4
SOME[0, 2] = False  # A query that may attend to nothing.


def numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def build(query=X, value=X, **arguments):
    layer = MultiHeadAttention(4, 3, **arguments)
    layer.build(query.shape, value.shape)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    return layer


@pytest.mark.parametrize(
    ("arguments", "call", "mask"),
    [
        ({}, {}, None),
        ({"use_bias": False}, {"use_causal_mask": True}, CAUSAL),
        ({"value_dim": 5, "use_gate": True}, {"attention_mask": SOME}, SOME[:, None]),
        ({"sliding_window": 2}, {}, NEAR),
        (
            {"sliding_window": 2, "num_key_value_heads": 2},
            {"use_causal_mask": True, "attention_mask": SOME},
            SOME[:, None] & CAUSAL & NEAR,
        ),
        ({"num_key_value_heads": 1}, {"use_causal_mask": True}, CAUSAL),
        (
            {"num_key_value_heads": 2, "use_gate": True},
            {"attention_mask": np.stack([SOME, ~SOME, SOME, SOME], 1)},
            np.stack([SOME, ~SOME, SOME, SOME], 1),
        ),
    ],
)
def test_it_equals_a_loop_in_numpy(arguments, call, mask):
    layer = build(**arguments)
    expected, weights = attend(layer, X, X, mask)
    np.testing.assert_allclose(numpy(layer(X, X, **call)), expected, atol=2e-6)
    output, scores = layer(X, X, return_attention_scores=True, **call)
    assert layer.attention_path == "einsum"
    np.testing.assert_allclose(numpy(output), expected, atol=2e-6)
    np.testing.assert_allclose(numpy(scores), weights, atol=1e-6)


@pytest.mark.parametrize("num_key_value_heads", [None, 2])
def test_cross_attention_equals_a_loop_in_numpy(num_key_value_heads):
    layer = build(value=SOURCE, num_key_value_heads=num_key_value_heads)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], bool)
    expected, _ = attend(layer, X, SOURCE, mask[:, None, None])
    actual = layer(X, SOURCE, attention_mask=mask[:, None])
    np.testing.assert_allclose(numpy(actual), expected, atol=2e-6)


def identity_layer(size, **arguments):
    layer = MultiHeadAttention(1, size, **arguments)
    layer.build((1, 2, size), (1, 2, size))
    kernel = np.eye(size)[:, None]
    zeros = np.zeros((1, size))
    layer.set_weights([kernel, zeros] * 3 + [kernel.transpose(1, 0, 2), zeros[0]])
    return layer


def test_two_tokens_by_hand():
    layer = identity_layer(4)
    # Scores 2 ln 3 / √4 = ln 3 and 0, so the weights are 3/4 and 1/4.
    query = np.array([[[2 * np.log(3), 0, 0, 0]]], "float32")
    key = np.array([[[1, 0, 0, 0], [0, 1, 0, 0]]], "float32")
    value = np.array([[[4, 0, 0, 8], [8, 4, 0, 0]]], "float32")
    output, scores = layer(query, value, key, return_attention_scores=True)
    np.testing.assert_allclose(numpy(scores), [[[[0.75, 0.25]]]], atol=1e-6)
    np.testing.assert_allclose(numpy(output), [[[5, 1, 0, 6]]], atol=1e-5)
    np.testing.assert_allclose(
        numpy(layer(query, value, key)), [[[5, 1, 0, 6]]], atol=1e-5
    )
    mask = np.array([[[False, True]]])
    output = layer(query, value, key, attention_mask=mask)
    np.testing.assert_allclose(numpy(output), value[:, 1:], atol=1e-6)


def test_a_causal_row_by_hand():
    # All keys equal, so each token is the mean of those up to it.
    layer = identity_layer(2)
    key = np.ones((1, 3, 2), "float32")
    value = np.array([[[1, 0], [2, 0], [6, 3]]], "float32")
    output = layer(key, value, key, use_causal_mask=True)
    expected = [[[1, 0], [1.5, 0], [3, 1]]]
    np.testing.assert_allclose(numpy(output), expected, atol=1e-6)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"num_key_value_heads": 2, "use_gate": True}, {"sliding_window": 2}],
)
@pytest.mark.parametrize("scores", [False, True])
def test_the_gradient_equals_finite_differences(gradient, arguments, scores):
    layer = build(**arguments)
    window = NEAR if "sliding_window" in arguments else True
    mask = SOME[:, None] & CAUSAL & window
    wanted = RNG.normal(size=X.shape).astype("float32")

    def loss(x):
        output = layer(
            x,
            x,
            attention_mask=SOME,
            use_causal_mask=True,
            return_attention_scores=scores,
        )
        output = output[0] if scores else output
        return ops.sum(output * ops.convert_to_tensor(wanted))

    actual = gradient(loss, X)
    step = 1e-5
    for _ in range(3):
        direction = RNG.normal(size=X.shape)
        ahead, _ = attend(layer, X + step * direction, X + step * direction, mask)
        behind, _ = attend(layer, X - step * direction, X - step * direction, mask)
        slope = np.sum((ahead - behind) * wanted) / (2 * step)
        np.testing.assert_allclose(np.sum(actual * direction), slope, rtol=1e-4)


@pytest.mark.parametrize("num_key_value_heads", [None, 2])
@pytest.mark.parametrize("scores", [False, True])
def test_a_future_or_padded_token_changes_no_bit(num_key_value_heads, scores):
    layer = build(num_key_value_heads=num_key_value_heads)
    padding = np.ones((2, 1, 6), bool)
    padding[:, :, 1] = False
    changed = X.copy()
    changed[:, 4:] = 100.0
    masked = X.copy()
    masked[:, 1] = -100.0

    def call(x, **masks):
        output = layer(x, x, return_attention_scores=scores, **masks)
        return numpy(output[0] if scores else output)

    before, after = (call(x, use_causal_mask=True) for x in (X, changed))
    np.testing.assert_array_equal(before[:, :4], after[:, :4])
    assert (before[:, 4:] != after[:, 4:]).all()
    for masks in ({}, {"use_causal_mask": True}):
        before, after = (call(x, attention_mask=padding, **masks) for x in (X, masked))
        real = [0, 2, 3, 4, 5]
        np.testing.assert_array_equal(before[:, real], after[:, real])


@pytest.mark.parametrize(
    ("dtype", "scores", "num_key_value_heads"),
    [
        ("float32", False, None),
        ("float32", True, 2),
        ("float16", False, 2),
        ("float16", True, None),
        ("bfloat16", False, None),
        ("mixed_float16", False, None),
        ("mixed_bfloat16", True, None),
    ],
)
def test_a_query_without_keys_gives_zeros(dtype, scores, num_key_value_heads, gradient):
    layer = build(dtype=dtype, num_key_value_heads=num_key_value_heads, use_bias=False)

    def call(x):
        output = layer(x, x, attention_mask=SOME, return_attention_scores=scores)
        return output[0] if scores else output

    output = numpy(call(ops.cast(X, layer.compute_dtype)))
    assert (output[0, 2] == 0).all()
    assert np.isfinite(output).all()
    assert (np.delete(output.reshape(12, 8), 2, axis=0) != 0).any(axis=1).all()
    slopes = gradient(lambda x: ops.sum(ops.cast(call(x), "float32") ** 2), X)
    assert np.isfinite(slopes).all()
    assert np.abs(slopes).max() > 0


def test_half_precision_scores_are_scaled_before_they_overflow():
    layer = identity_layer(4, dtype="float16")
    # A product of 4 · 150² = 90,000 is beyond float16, half of it is not.
    query = np.full((1, 1, 4), 150, "float16")
    value = np.concatenate([query, query / 2], axis=1)
    for scores in (False, True):
        output = layer(query, value, return_attention_scores=scores)
        output = output[0] if scores else output
        np.testing.assert_array_equal(numpy(output), query)


def test_the_path_can_be_asked():
    layer = build(dropout=0.5)
    assert layer.attention_path is None
    layer(X, X)
    assert layer.attention_path == "fused"
    layer(X, X, training=True)
    assert layer.attention_path == "einsum"
    layer(X, X, training=False)
    assert layer.attention_path == "fused"


def test_dropout_drops_weights_in_training_alone():
    layer = identity_layer(6, dropout=0.5, seed=3)
    query = RNG.normal(size=(4, 6, 6)).astype("float32")
    value = np.tile(np.eye(6, dtype="float32"), (4, 1, 1))  # The output is the weights.
    weights = numpy(layer(query, value, training=False))
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
    dropped = numpy(layer(query, value, training=True))
    kept = dropped != 0
    assert 0.3 < kept.mean() < 0.7
    np.testing.assert_allclose(dropped[kept], 2 * weights[kept], rtol=1e-5)


def test_the_masks_of_inputs_count_and_stay():
    x = keras.layers.Embedding(5, 8, mask_zero=True)(np.array([[1, 2, 0], [3, 0, 0]]))
    layer = build(x, x)
    output = layer(x, x)
    mask = np.array([[1, 1, 0], [1, 0, 0]], bool)
    both = mask[:, None, :, None] & mask[:, None, None, :]
    expected, _ = attend(layer, numpy(x), numpy(x), both)
    np.testing.assert_allclose(numpy(output), expected, atol=2e-6)
    np.testing.assert_array_equal(numpy(output._keras_mask), mask)
    np.testing.assert_array_equal(numpy(x._keras_mask), mask)


@pytest.mark.parametrize(
    "arguments",
    [
        {"attention_axes": (2,)},
        {"attention_axes": (1, 2), "use_gate": True, "value_dim": 5},
        {"attention_axes": -2, "output_shape": (3, 2)},
    ],
)
def test_more_axes_equal_keras(arguments):
    x = RNG.normal(size=(2, 3, 4, 6)).astype("float32")
    ours = build(x, x, **arguments)
    keras_layer = keras.layers.MultiHeadAttention(4, 3, **arguments)
    keras_layer.build(x.shape, x.shape)
    keras_layer.set_weights(ours.get_weights())
    for actual, expected in zip(
        ours(x, x, return_attention_scores=True),
        keras_layer(x, x, return_attention_scores=True),
        strict=True,
    ):
        np.testing.assert_allclose(numpy(actual), numpy(expected), atol=2e-6)


def test_symbolic_scores_have_the_shape_of_the_real_ones():
    query, value = keras.Input((6, 8)), keras.Input((5, 7))
    symbolic = MultiHeadAttention(4, 3)(query, value, return_attention_scores=True)
    assert [tensor.shape for tensor in symbolic] == [(None, 6, 8), (None, 4, 6, 5)]
