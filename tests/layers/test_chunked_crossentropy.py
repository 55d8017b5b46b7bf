import keras
import numpy as np
import pytest

from kftune.layers import SmoothedCrossentropy, chunked_crossentropy

pytestmark = pytest.mark.backend

N, D, V = 13, 6, 11


@pytest.fixture
def tokens():
    rng = np.random.default_rng(7)
    return {
        "states": rng.normal(size=(N, D)).astype("float32"),
        "table": rng.normal(size=(V, D)).astype("float32"),
        "labels": rng.integers(0, V, N).astype("int32"),
        "weights": (rng.random(N) * (rng.random(N) > 0.3)).astype("float32"),
        "bias": rng.normal(size=V).astype("float32"),
    }


def formula(states, table, labels, weights, *, bias=0.0, smoothing=0.0):
    """Sums and gradients of the first of them, in float64."""
    states, table = states.astype("float64"), table.astype("float64")
    logits = states @ table.T + bias
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    target = np.eye(V)[labels] * (1 - smoothing) + smoothing / V
    loss = -(weights[:, None] * target * log_probabilities).sum()
    right = (weights * (logits.argmax(-1) == labels)).sum()
    of_logits = (np.exp(log_probabilities) - target) * weights[:, None]
    return [loss, right], of_logits @ table, of_logits.T @ states


def gradients(function, *values):
    """Gradients of a scalar function of arrays, by whatever backend there is."""
    variables = [keras.Variable(value) for value in values]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = function(*variables)
        made = tape.gradient(loss, [v.value for v in variables])
    elif keras.backend.backend() == "jax":
        import jax

        made = jax.grad(function, argnums=tuple(range(len(values))))(*values)
    else:
        function(*variables).backward()
        made = [variable.value.grad for variable in variables]
    return [keras.ops.convert_to_numpy(value) for value in made]


def assert_close(received, expected):
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("max_logits", [1, 4 * V, 1000 * V])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_sums_and_gradients_are_those_of_all_logits(tokens, max_logits, smoothing):
    sums, of_states, of_table = formula(**tokens, smoothing=smoothing)
    options = {"label_smoothing": smoothing, "max_logits": max_logits}
    received = chunked_crossentropy(**tokens, **options)
    assert_close(keras.ops.convert_to_numpy(received), sums)

    rest = {name: tokens[name] for name in ("labels", "weights", "bias")}

    def twice(states, table):
        return 2 * chunked_crossentropy(states, table, **rest, **options)[0]

    made = gradients(twice, tokens["states"], tokens["table"])
    assert_close(made[0], 2 * of_states)
    assert_close(made[1], 2 * of_table)


def test_without_gradient_the_sums_are_the_same(tokens):
    sums, *_ = formula(**tokens)
    received = chunked_crossentropy(**tokens, with_gradient=False, max_logits=3 * V)
    assert_close(keras.ops.convert_to_numpy(received), sums)


def test_a_frozen_table_leaves_the_gradient_of_the_states(tokens):
    _, of_states, _ = formula(**tokens)
    rest = {name: x for name, x in tokens.items() if name != "states"}

    def loss(states):
        return chunked_crossentropy(
            states, **rest, trains_table=False, max_logits=5 * V
        )[0]

    (made,) = gradients(loss, tokens["states"])
    assert_close(made, of_states)


def test_tokens_without_weight_are_not_looked_at(tokens):
    tokens["states"][tokens["weights"] == 0] = np.nan
    rest = {name: x for name, x in tokens.items() if name != "states"}
    count = int((tokens["weights"] != 0).sum())

    def loss(states):
        return chunked_crossentropy(states, **rest, max_logits=V)[0]

    (made,) = gradients(loss, tokens["states"])
    assert np.isfinite(made).all()
    assert np.count_nonzero(made.any(axis=-1)) == count


def test_nothing_that_counts_is_a_loss_of_zero(tokens):
    tokens["weights"][:] = 0
    received = chunked_crossentropy(**tokens)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(received), [0, 0])


def test_the_loss_on_logits_is_the_same(tokens):
    tokens.pop("bias")
    logits = tokens["states"] @ tokens["table"].T
    loss = SmoothedCrossentropy(0.1, reduction="sum")
    expected = loss(tokens["labels"], logits, tokens["weights"])
    received = chunked_crossentropy(**tokens, label_smoothing=0.1, max_logits=2 * V)
    assert_close(float(received[0]), float(expected))


def test_half_precision_sums_up_in_float32(tokens):
    half = {
        name: keras.ops.cast(tokens[name], "bfloat16") for name in ("states", "table")
    }
    sums, *_ = formula(**tokens)
    received = chunked_crossentropy(**{**tokens, **half}, max_logits=4 * V)
    assert keras.backend.standardize_dtype(received.dtype) == "float32"
    np.testing.assert_allclose(float(received[0]), sums[0], rtol=0.02)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_small_and_large_weights_fit_into_float16(tokens, scale):
    """A loss scale multiplies what float16 has lost already."""
    tokens["bias"] = None
    tokens["table"] = tokens["table"].astype("float16").astype("float32")
    weights = tokens.pop("weights")
    _, of_states, of_table = formula(**{**tokens, "bias": 0.0}, weights=weights)
    weights = weights * np.float32(scale)

    def loss(states, table):
        halves = keras.ops.cast(table, "float16")
        labels = tokens["labels"]
        return chunked_crossentropy(states, halves, labels, weights)[0] / scale

    made = gradients(loss, tokens["states"], tokens["table"])
    for received, expected in zip(made, (of_states, of_table), strict=True):
        largest = np.abs(expected).max()
        np.testing.assert_allclose(received, expected, rtol=0, atol=4e-3 * largest)
