"""A small training with all that can be forgotten when it is stopped."""

import random

import keras
import numpy as np

from kftune.data import LengthBucketed
from kftune.training import (
    CheckpointAverage,
    DataPosition,
    RunCheckpoint,
    ScoreCallback,
    open_run,
)
from kftune.training.model_state import to_arrays, training_variables

ROWS = [[1 + i % 5] * (1 + i % 7) for i in range(24)]
LENGTHS = np.array([[len(row) / 8] for row in ROWS], "float32")


class StoppedError(Exception):
    """Stands for a kill."""


class Stopping(keras.callbacks.Callback):
    """Ends the process, so to speak, at a step of an epoch; `"end"`: before a save."""

    def __init__(self, epoch, step):
        super().__init__()
        self.at = epoch, step

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.step = epoch, 0
        self._stop("begin")

    def on_train_batch_end(self, batch, logs=None):
        self._stop(batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        self._stop("end")

    def _stop(self, step):
        if (self.epoch, step) == self.at:
            raise StoppedError


class Noise(keras.callbacks.Callback):
    """Adds to the loss what the generators of Python, NumPy and Keras give."""

    def on_epoch_end(self, epoch, logs=None):
        drawn = float(keras.random.uniform(()))
        logs["val_noise"] = random.random() + np.random.random() + drawn


def make_model(dtype="float32"):
    """A sum of embeddings, dropout and two dense layers, with a moving average."""
    keras.utils.set_random_seed(0)
    inputs = {
        "token_ids": keras.Input((None,), dtype="int32", name="token_ids"),
        "padding_mask": keras.Input((None,), dtype="bool", name="padding_mask"),
    }
    embedded = keras.layers.Embedding(6, 4, dtype=dtype)(inputs["token_ids"])
    mask = keras.ops.expand_dims(keras.ops.cast(inputs["padding_mask"], dtype), -1)
    states = keras.layers.Dropout(0.3)(keras.ops.sum(embedded * mask, axis=1))
    states = keras.layers.Dropout(0.3, seed=5)(keras.layers.Dense(4)(states))
    model = keras.Model(inputs, keras.layers.Dense(1)(states))
    optimizer = keras.optimizers.AdamW(0.03, use_ema=True, ema_momentum=0.9)
    # Tracing would take longer than the few steps.
    eagerly = keras.config.backend() == "tensorflow"
    model.compile(optimizer, "mse", metrics=["mae"], run_eagerly=eagerly)
    return model


def make_callbacks(folder):
    """Callbacks that all remember something."""

    def score(model):
        return {"score": float(model.get_weights()[0].sum())}

    return [
        ScoreCallback(score, every=2),
        Noise(),
        CheckpointAverage(folder / "epochs", 2, "val_noise", "max"),
        keras.callbacks.ReduceLROnPlateau("val_noise", 0.5, 1, mode="min", cooldown=1),
        keras.callbacks.EarlyStopping(
            "val_noise", patience=3, mode="min", restore_best_weights=True
        ),
        keras.callbacks.CSVLogger(folder / "history.csv", append=True),
    ]


def run(folder, stop=(None, None), epochs=6, save_freq="epoch", model=None):
    """Trains, or goes on; the model, its checkpoint and a number of Python's."""
    open_run(folder, {})
    model = model or make_model()
    data = LengthBucketed(ROWS, LENGTHS, batch_size=4)
    kept = make_callbacks(folder)
    checkpoint = RunCheckpoint(folder / "checkpoints", kept, data, save_freq)
    for begin, end in checkpoint.ranges(epochs):
        model.fit(
            data,
            initial_epoch=begin,
            epochs=end,
            validation_data=data,
            shuffle=False,
            verbose=0,
            callbacks=[DataPosition(data), *kept, Stopping(*stop), checkpoint],
        )
    return model, checkpoint, random.random()


def state_of(model):
    """All variables of a model, its optimizer's among them."""
    return to_arrays(training_variables(model))
