import keras
import numpy as np
import pytest

from kftune.layers import SmoothedCrossentropy

pytestmark = pytest.mark.backend

B, T, V = 3, 5, 17


@pytest.fixture
def batch():
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 3, (B, T, V)).astype("float32")
    labels = rng.integers(0, V, (B, T)).astype("int32")
    weights = np.arange(T) < np.array([[5], [2], [1]])
    return labels, logits, weights


def one_hot_loss(labels, logits, smoothing):
    """The formula on one-hot labels in float64, (B, T)."""
    logits = logits.astype("float64")
    log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    smoothed = np.eye(V)[labels] * (1 - smoothing) + smoothing / V
    return -(smoothed * log_probabilities).sum(-1)


def one_hot_gradient(labels, logits, weights, smoothing):
    """The gradient of the mean over real tokens."""
    probabilities = np.exp(logits.astype("float64"))
    probabilities /= probabilities.sum(-1, keepdims=True)
    smoothed = np.eye(V)[labels] * (1 - smoothing) + smoothing / V
    return (probabilities - smoothed) * weights[..., None] / weights.sum()


def as_float(loss):
    return keras.ops.convert_to_numpy(loss)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_each_token_has_the_loss_of_the_one_hot_formula(batch, smoothing):
    labels, logits, _ = batch
    received = SmoothedCrossentropy(smoothing, reduction=None)(labels, logits)
    expected = one_hot_loss(labels, logits, smoothing)
    np.testing.assert_allclose(as_float(received), expected, rtol=1e-6, atol=1e-6)


def test_large_logits_lose_nothing(batch):
    labels, logits, _ = batch
    received = SmoothedCrossentropy(0.1, reduction=None)(labels, logits + 1000)
    # What float32 itself makes of logits around 1000.
    rounded = (logits + 1000).astype("float64") - 1000
    expected = one_hot_loss(labels, rounded, 0.1)
    np.testing.assert_allclose(as_float(received), expected, rtol=1e-6, atol=1e-6)


def test_keras_has_the_same_loss_on_one_hot_labels(batch):
    labels, logits, weights = batch
    for smoothing in (0, 0.1):
        expected = keras.losses.CategoricalCrossentropy(
            from_logits=True,
            label_smoothing=smoothing,
            reduction="mean_with_sample_weight",
        )(np.eye(V, dtype="float32")[labels], logits, weights)
        received = SmoothedCrossentropy(smoothing)(labels, logits, weights)
        np.testing.assert_allclose(received, expected, rtol=1e-6)


def test_padding_counts_for_nothing(batch):
    labels, logits, weights = batch
    expected = one_hot_loss(labels, logits, 0.1)[weights].mean()
    labels, logits = np.where(weights, labels, 0), logits.copy()
    logits[~weights] = 50 * np.arange(V)
    received = SmoothedCrossentropy(0.1)(labels, logits, weights)
    np.testing.assert_allclose(as_float(received), expected, rtol=1e-6)


def test_a_batch_of_padding_alone_has_no_loss(batch):
    labels, logits, weights = batch
    assert float(SmoothedCrossentropy()(labels, logits, 0 * weights)) == 0


def test_a_step_follows_the_gradient_of_the_formula(batch):
    labels, logits, weights = batch
    inputs = keras.Input((), dtype="int32")
    table = keras.layers.Embedding(B, T * V)
    outputs = keras.layers.Reshape((T, V))(table(inputs))
    model = keras.Model(inputs, outputs)
    table.embeddings.assign(logits.reshape(B, T * V))
    model.compile(keras.optimizers.SGD(1.0), loss=SmoothedCrossentropy(0.1))
    loss = model.train_on_batch(np.arange(B), labels, weights)
    expected = one_hot_loss(labels, logits, 0.1)[weights].mean()
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    after = as_float(table.embeddings).reshape(B, T, V)
    gradient = one_hot_gradient(labels, logits, weights, 0.1)
    np.testing.assert_allclose(logits - after, gradient, atol=2e-6)


def test_half_precision_logits_are_computed_with_in_float32(batch):
    labels, logits, weights = batch
    half = logits.astype("float16")
    received = SmoothedCrossentropy(0.1)(labels, half, weights)
    expected = one_hot_loss(labels, half.astype("float32"), 0.1)[weights].mean()
    assert keras.backend.standardize_dtype(received.dtype) == "float32"
    np.testing.assert_allclose(as_float(received), expected, rtol=1e-6)


def test_no_label_of_a_large_vocabulary_is_rounded():
    logits = np.zeros((1, 2, 70_001), "float32")
    logits[0, 0, 70_000] = logits[0, 1, 69_999] = 9
    losses = SmoothedCrossentropy(0, reduction=None)([[70_000, 69_999]], logits)
    expected = np.log(np.exp(9) + 70_000) - 9
    # PyTorch's softmax on AVX2 sums 70,000 small numbers with an error of 5e-5.
    np.testing.assert_allclose(as_float(losses), [[expected] * 2], rtol=1e-4)


def test_config_comes_back():
    loss = SmoothedCrossentropy(0.2, reduction="sum", name="ce")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is SmoothedCrossentropy
    assert again.get_config() == loss.get_config()
    expected = {"name": "ce", "reduction": "sum", "label_smoothing": 0.2}
    assert loss.get_config() == expected


@pytest.mark.parametrize("smoothing", [-0.1, 1, 1.5])
def test_smoothing_out_of_range_is_refused(smoothing):
    with pytest.raises(ValueError, match=f"Received: {smoothing}"):
        SmoothedCrossentropy(smoothing)


def test_one_hot_labels_are_refused(batch):
    labels, logits, _ = batch
    with pytest.raises(ValueError, match=r"labels \(3, 5, 17\), logits \(3, 5, 17\)"):
        SmoothedCrossentropy()(np.eye(V)[labels], logits)
