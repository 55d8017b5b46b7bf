"""The loss from states against Keras's own, from logits."""

import warnings

import keras
import numpy as np
import pytest

from kftune.layers import SmoothedCrossentropy
from kftune.models import (
    GPT2Backbone,
    GPT2CausalLM,
    TransformerBackbone,
    TransformerSeq2SeqLM,
)
from kftune.tuning import freeze

pytestmark = pytest.mark.backend

B, T, V = 4, 7, 30
EAGERLY = {
    "run_eagerly": keras.backend.backend() == "tensorflow",
    "jit_compile": keras.backend.backend() == "jax",
}


def make_gpt2(dtype=None):
    backbone = GPT2Backbone(V, 2, 2, 8, 16, dropout=0.0, dtype=dtype)
    return GPT2CausalLM(backbone, dtype=dtype)


def make_seq2seq(**options):
    return TransformerSeq2SeqLM(TransformerBackbone(V, 1, 2, 8, 16, 0.0, **options))


def make_with_bias():
    return make_seq2seq(logits_bias=True)


def make_untied():
    return make_seq2seq(tie_output=False)


def randomise(task):
    rng = np.random.default_rng(3)
    for weight in task.weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))


def make_batch(task):
    rng = np.random.default_rng(2)
    mask = (np.arange(T) < np.array([[7], [2], [4], [1]])).astype("int32")
    x = {
        name: mask if "mask" in name else rng.integers(1, V, (B, T)).astype("int32")
        for name in task.feature_names
    }
    return x, rng.integers(0, V, (B, T)).astype("int32"), mask.astype("float32")


def compiled(make, *, from_logits=False, loss="auto", **options):
    task = make()
    randomise(task)
    options = {**EAGERLY, **options}
    task.compile(keras.optimizers.SGD(0.1), loss=loss, **options)
    if from_logits:
        task.output_loss = None
    return task


def trained(task):
    """Logs of two steps and of an evaluation, and the weights after them."""
    x, y, weights = make_batch(task)
    options = {"sample_weight": weights, "batch_size": B}
    history = task.fit(x, y, epochs=2, shuffle=False, verbose=0, **options).history
    evaluation = task.evaluate(x, y, verbose=0, return_dict=True, **options)
    return {**history, **{f"val_{k}": v for k, v in evaluation.items()}}, [
        keras.ops.convert_to_numpy(weight) for weight in task.weights
    ]


def assert_same_training(one, other):
    logs, weights = trained(one)
    expected_logs, expected_weights = trained(other)
    assert logs.keys() == expected_logs.keys()
    for name, values in logs.items():
        np.testing.assert_allclose(values, expected_logs[name], rtol=1e-5, atol=1e-6)
    for values, expected in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("make", [make_gpt2, make_seq2seq, make_with_bias, make_untied])
@pytest.mark.parametrize("loss", ["auto", SmoothedCrossentropy(0.1, reduction="sum")])
def test_training_and_evaluation_are_those_of_logits(make, loss):
    assert_same_training(
        compiled(make, loss=loss), compiled(make, loss=loss, from_logits=True)
    )


def test_accuracy_is_in_the_logs():
    task = compiled(make_gpt2)
    x, y, weights = make_batch(task)
    right = task.predict(x, verbose=0).argmax(axis=-1) == y
    logs = task.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
    expected = right[weights > 0].mean()
    assert logs["sparse_categorical_accuracy"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.long
def test_traced_training_is_that_of_logits():
    options = {"run_eagerly": False, "jit_compile": False}
    assert_same_training(
        compiled(make_gpt2, **options),
        compiled(make_gpt2, from_logits=True, **options),
    )


@pytest.mark.long
def test_frozen_embeddings_train_as_with_logits():
    tasks = [compiled(make_gpt2, from_logits=x) for x in (False, True)]
    for task in tasks:
        freeze(task, "all_but_last:1")
    assert tasks[0].output_loss.accuracy is not None
    tasks[1].output_loss = None
    assert_same_training(*tasks)


def test_no_logits_are_made(monkeypatch):
    task = compiled(make_gpt2)
    x, y, weights = make_batch(task)
    # Keras runs the model once to make its metrics.
    task.fit(x, y, sample_weight=weights, verbose=0)
    task.make_train_function(force=True)
    made = []
    embedding = task.backbone.token_embedding
    call = type(embedding).call

    def counting(self, inputs, reverse=False):
        made.append(reverse)
        return call(self, inputs, reverse=reverse)

    monkeypatch.setattr(type(embedding), "call", counting)
    task.fit(x, y, sample_weight=weights, verbose=0)
    assert made == [False]
    assert task(x).shape == (B, T, V)
    assert made == [False, False, True]


@pytest.mark.long
def test_regularisers_add_to_the_loss():
    tasks = [compiled(make_gpt2, from_logits=x) for x in (False, True)]
    for task in tasks:
        table = task.backbone.token_embedding.embeddings
        table.regularizer = keras.regularizers.L2(0.1)
    assert_same_training(*tasks)


@pytest.mark.long
@pytest.mark.parametrize(
    ("options", "num_logs"),
    [
        ({"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}, 2),
        ({"weighted_metrics": [keras.metrics.SparseTopKCategoricalAccuracy(3)]}, 2),
        ({"metrics": [keras.metrics.SparseCategoricalAccuracy()]}, 3),
        ({"loss_weights": [0.5]}, 2),
    ],
)
def test_other_losses_and_metrics_get_logits_with_a_warning(options, num_logs):
    task = make_gpt2()
    with pytest.warns(UserWarning, match="logits of all tokens at once"):
        task.compile("sgd", **EAGERLY, **options)
    x, y, weights = make_batch(task)
    logs = task.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
    assert len(logs) == num_logs


def test_no_warning_where_nothing_needs_logits():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = make_gpt2()
        task.compile("sgd", weighted_metrics=None, **EAGERLY)
        x, y, weights = make_batch(task)
        logs = task.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
        task.compile("sgd", loss=None)
    assert list(logs) == ["loss"]


def test_an_integer_table_gives_its_own_logits():
    task = compiled(make_gpt2)
    x, y, weights = make_batch(task)
    task.quantize("int8")
    logits = task.predict(x, verbose=0)
    logs = task.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
    shifted = logits - logits.max(-1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    losses = -np.take_along_axis(log_probabilities, y[..., None], -1)[..., 0]
    expected = (losses * weights).sum() / weights.sum()
    assert logs["loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.long
def test_half_precision_trains_as_with_logits():
    def make():
        return make_gpt2("mixed_bfloat16")

    logs, _ = trained(compiled(make))
    expected, _ = trained(compiled(make, from_logits=True))
    np.testing.assert_allclose(logs["loss"], expected["loss"], rtol=0.01)


@pytest.mark.filterwarnings("ignore:Training and evaluation compute the logits")
def test_weights_of_losses_are_heeded():
    losses = []
    for options in ({}, {"loss_weights": [0.5]}):
        keras.utils.set_random_seed(0)
        task = make_gpt2()
        randomise(task)
        task.compile("sgd", **EAGERLY, **options)
        x, y, weights = make_batch(task)
        losses.append(task.evaluate(x, y, sample_weight=weights, verbose=0)[0])
    assert losses[1] == pytest.approx(losses[0] / 2, rel=1e-5)


class Halved(keras.losses.SparseCategoricalCrossentropy):
    def call(self, y_true, y_pred):
        return super().call(y_true, y_pred) / 2


@pytest.mark.long
def test_a_loss_of_ones_own_is_what_is_trained():
    loss = Halved(from_logits=True, reduction="mean_with_sample_weight")
    with pytest.warns(UserWarning):
        task = compiled(make_gpt2, loss=loss)
    plain = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )
    logs, expected = (trained(t)[0] for t in (task, compiled(make_gpt2, loss=plain)))
    assert logs["loss"][0] == pytest.approx(expected["loss"][0] / 2, rel=1e-5)
