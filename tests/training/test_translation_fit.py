"""Keras's own training options on an encoder-decoder, against NumPy."""

import keras
import numpy as np
import pytest

from kftune.models import TransformerBackbone, TransformerSeq2SeqLM
from kftune.training import SmoothedCrossentropy

pytestmark = pytest.mark.backend

# Real tokens a row of sources and targets; each half has 9 target tokens, or not.
EVEN = ([6, 3, 2, 5], [4, 5, 7, 2])
UNEVEN = ([6, 3, 2, 5], [7, 6, 1, 2])
LENGTH = 8


def make_task(optimizer, loss=None, dtype=None):
    keras.utils.set_random_seed(5)
    backbone = TransformerBackbone(
        30, 1, 2, 8, 16, dropout=0, max_sequence_length=16, dtype=dtype
    )
    task = TransformerSeq2SeqLM(backbone, dtype=dtype)
    task.compile(
        optimizer,
        loss=loss or SmoothedCrossentropy(0.1),
        jit_compile=keras.backend.backend() == "jax",
        # Traced graphs of such tiny models take far longer than they save.
        run_eagerly=keras.backend.backend() == "tensorflow",
    )
    return task


def make_batch(source_lengths, target_lengths):
    rng = np.random.default_rng(2)
    tokens = rng.integers(3, 30, (3, len(source_lengths), LENGTH)).astype("int32")
    source_mask, mask = (
        np.arange(LENGTH) < np.array(lengths)[:, None]
        for lengths in (source_lengths, target_lengths)
    )
    features = {
        "encoder_token_ids": tokens[0],
        "encoder_padding_mask": source_mask,
        "decoder_token_ids": tokens[1],
        "decoder_padding_mask": mask,
    }
    return features, tokens[2], mask


def fit(task, batch, batch_size=4, epochs=1, **options):
    x, y, weight = batch
    options = {"verbose": 0, "shuffle": False, **options}
    return task.fit(
        x, y, sample_weight=weight, batch_size=batch_size, epochs=epochs, **options
    )


def change(task, *arguments, **options):
    """All weights after `fit`, less those before, in one row."""
    before = flat(task)
    fit(task, *arguments, **options)
    return flat(task) - before


def flat(task):
    return np.concatenate([w.ravel() for w in task.get_weights()]).astype("float64")


@pytest.fixture(scope="module")
def gradient():
    """The change of one step of gradient descent on the whole batch."""
    return change(make_task(keras.optimizers.SGD(1.0)), make_batch(*EVEN))


def test_clipping_shortens_the_gradient_and_turns_it_nowhere(gradient):
    limit = 0.25 * float(np.linalg.norm(gradient))
    optimizer = keras.optimizers.SGD(1.0, global_clipnorm=limit)
    received = change(make_task(optimizer), make_batch(*EVEN))
    np.testing.assert_allclose(received, 0.25 * gradient, atol=1e-6)
    assert np.abs(gradient).max() > 1e-2


def test_accumulated_batches_of_as_many_tokens_are_one_large_batch(gradient):
    optimizer = keras.optimizers.SGD(1.0, gradient_accumulation_steps=2)
    received = change(make_task(optimizer), make_batch(*EVEN), batch_size=2)
    np.testing.assert_allclose(received, gradient, atol=2e-6)


def test_accumulated_sums_are_one_large_batch_whatever_the_tokens():
    """Keras averages over the parts, so two parts give half the sum."""
    batch = make_batch(*UNEVEN)
    loss = SmoothedCrossentropy(0.1, reduction="sum")
    large = change(make_task(keras.optimizers.SGD(0.05), loss), batch)
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    received = change(make_task(optimizer, loss), batch, batch_size=2)
    np.testing.assert_allclose(received, large, atol=2e-6)
    assert np.abs(large).max() > 1e-2


@pytest.mark.long
def test_mixed_precision_learns_as_float32_does():
    losses = {}
    for dtype in ("float32", "mixed_float16", "mixed_bfloat16"):
        task = make_task(keras.optimizers.Adam(0.03), dtype=dtype)
        assert {w.dtype for w in task.trainable_weights} == {"float32"}
        assert task.compute_dtype == dtype.removeprefix("mixed_")
        losses[dtype] = fit(task, make_batch(*UNEVEN), epochs=5).history["loss"]
    expected = losses.pop("float32")
    assert expected[-1] < 0.9 * expected[0]
    for dtype, received in losses.items():
        assert received == pytest.approx(expected, rel=0.02), dtype


@pytest.mark.long
def test_float16_skips_steps_that_overflow_and_scales_less():
    task = make_task("sgd", dtype="mixed_float16")
    assert isinstance(task.optimizer, keras.optimizers.LossScaleOptimizer)
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.1), initial_scale=2.0**24
    )
    task = make_task(optimizer, dtype="mixed_float16")
    changed = [bool(change(task, make_batch(*EVEN)).any()) for _ in range(8)]
    assert not changed[0] and changed[-1]
    assert float(optimizer.dynamic_scale) == 2.0 ** (24 - changed.count(False))


@pytest.mark.long
def test_moving_averages_are_validated_and_kept():
    class Watch(keras.callbacks.Callback):
        """The weights after each step, and those that are validated."""

        def __init__(self):
            super().__init__()
            self.trained, self.validated, self.ended = [], [], []

        def on_train_batch_end(self, batch, logs=None):
            self.trained.append(flat(self.model))

        def on_test_batch_begin(self, batch, logs=None):
            self.validated.append(flat(self.model))

        def on_epoch_end(self, epoch, logs=None):
            self.ended.append(flat(self.model))

    optimizer = keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.7)
    task, batch, watch = make_task(optimizer), make_batch(*EVEN), Watch()
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    options = {"validation_data": batch, "callbacks": [swap, watch]}
    fit(task, batch, batch_size=2, epochs=2, **options)
    averages = [watch.trained[0]]
    for weights in watch.trained[1:]:
        averages.append(0.7 * averages[-1] + 0.3 * weights)
    # What stands behind the swap, ScoreCallback too, sees the averages.
    for seen in (watch.validated, watch.ended):
        np.testing.assert_allclose(seen[0], averages[1], atol=1e-6)
        np.testing.assert_allclose(seen[-1], averages[3], atol=1e-6)
    np.testing.assert_allclose(flat(task), averages[3], atol=1e-6)
    assert np.abs(averages[3] - watch.trained[3]).max() > 1e-3


def test_metrics_count_real_tokens_only():
    task = make_task("sgd")
    x, y, weight = make_batch(*UNEVEN)
    best = task.predict(x, verbose=0).argmax(-1)
    y = np.where(weight, y, best)  # All of the padding is right.
    y[0, :3] = best[0, :3]
    scores = task.evaluate(x, y, sample_weight=weight, return_dict=True, verbose=0)
    expected = (best == y)[weight].mean()
    assert 3 / 16 <= expected < 1
    name = "sparse_categorical_accuracy"
    assert scores[name] == pytest.approx(expected, abs=1e-6)
