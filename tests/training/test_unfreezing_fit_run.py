"""`GradualUnfreezing` in `fit_run`: length buckets, and a run that is stopped."""

import keras
import numpy as np
import pytest

from kftune.data import LengthBucketed
from kftune.training import fit_run, open_run, read_history
from kftune.tuning import GradualUnfreezing

pytestmark = pytest.mark.backend

ROWS = [[1 + i % 5] * (1 + i % 7) for i in range(24)]
LENGTHS = np.array([[len(row) / 8] for row in ROWS], "float32")
SCHEDULE = {0: "regex:tokens|below", 2: "regex:tokens", 4: "nothing"}


class StoppedError(Exception):
    """Stands for a kill."""


class Stopping(keras.callbacks.Callback):
    """Ends the process, so to speak, before a given epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise StoppedError


def make_model():
    """A sum of embeddings in two dense layers; the length can be read from it."""
    keras.utils.set_random_seed(0)
    inputs = {
        "token_ids": keras.Input((None,), dtype="int32", name="token_ids"),
        "padding_mask": keras.Input((None,), dtype="bool", name="padding_mask"),
    }
    embedded = keras.layers.Embedding(6, 4, name="tokens")(inputs["token_ids"])
    mask = keras.ops.expand_dims(keras.ops.cast(inputs["padding_mask"], "float32"), -1)
    states = keras.ops.sum(embedded * mask, axis=1)
    states = keras.layers.Dense(4, name="below")(states)
    model = keras.Model(inputs, keras.layers.Dense(1, name="head")(states))
    # Tracing would take longer than the few steps.
    eagerly = keras.config.backend() == "tensorflow"
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=eagerly)
    return model


def run(folder, stop_in=None):
    """The weights and the epochs of a run that goes on if it was stopped."""
    model, unfreezing = make_model(), GradualUnfreezing(SCHEDULE)
    train = LengthBucketed(ROWS, LENGTHS, batch_size=6)
    validation = LengthBucketed(ROWS, LENGTHS, batch_size=6, shuffle=False)
    if open_run(folder, {}):
        unfreezing.apply(model, len(read_history(folder)["loss"]) - 1)
    history, _ = fit_run(
        model,
        train,
        validation,
        folder,
        epochs=6,
        monitor="val_loss",
        mode="min",
        patience=6,
        callbacks=[unfreezing, Stopping(stop_in)],
    )
    return model.get_weights(), history.epoch


@pytest.mark.parametrize("stop_in", [2, 3])
def test_a_stopped_run_ends_as_an_unbroken_one(stop_in, tmp_path):
    """Stopped when something was to be unfrozen, or in between."""
    whole, epochs = run(tmp_path / "whole")
    assert epochs == list(range(6))
    with pytest.raises(StoppedError):
        run(tmp_path / "broken", stop_in)
    resumed, epochs = run(tmp_path / "broken")
    assert epochs == list(range(stop_in, 6))
    for name in ("loss", "val_loss"):
        losses = [read_history(tmp_path / n)[name] for n in ("whole", "broken")]
        np.testing.assert_allclose(*losses, rtol=1e-5)
    start = make_model().get_weights()
    for expected, received, first in zip(whole, resumed, start, strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-7)
        assert not np.array_equal(first, received)
