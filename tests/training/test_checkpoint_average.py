import keras
import numpy as np
import pytest

from kftune.training.checkpoint_average import CheckpointAverage
from kftune.training.score_callback import ScoreCallback


class Epoch(keras.callbacks.Callback):
    """Sets the only weight to the number of the epoch, from 1."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.layers[0].kernel.assign([[epoch + 1.0]])


def make_model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.layers[0].kernel.assign([[0.0]])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


def fit(average, scores=(), epochs=5, initial_epoch=0):
    """Weights of the file after a training whose epoch n has the weight n."""
    scores, model, x = iter(scores), make_model(), np.ones((2, 1), "float32")
    callbacks = [Epoch(), average]
    if average.monitor:
        score = ScoreCallback(lambda model: {"score": next(scores)})
        callbacks = [Epoch(), score, average]
    model.fit(
        x, x, epochs=epochs, initial_epoch=initial_epoch, callbacks=callbacks, verbose=0
    )
    assert float(model.layers[0].kernel[0, 0]) == epochs
    model.load_weights(average.path)
    return float(model.layers[0].kernel[0, 0])


def names(folder):
    return sorted(p.name.split(".")[0] for p in folder.glob("epoch-*"))


@pytest.mark.backend
def test_the_last_epochs_are_averaged(tmp_path):
    assert fit(CheckpointAverage(tmp_path, keep=3)) == (3 + 4 + 5) / 3
    assert names(tmp_path) == ["epoch-0003", "epoch-0004", "epoch-0005"]


def test_fewer_epochs_are_all_averaged(tmp_path):
    assert fit(CheckpointAverage(tmp_path, keep=9), epochs=2) == 1.5


@pytest.mark.parametrize(
    ("mode", "expected"), [("max", (2 + 4) / 2), ("min", (1 + 5) / 2)]
)
def test_the_best_epochs_are_averaged(tmp_path, mode, expected):
    scores = [1.0, 8.0, 5.0, 9.0, 2.0]
    average = CheckpointAverage(tmp_path, keep=2, monitor="val_score", mode=mode)
    assert fit(average, scores) == expected


def test_a_tie_goes_to_the_later_epoch_and_nan_is_worst(tmp_path):
    average = CheckpointAverage(tmp_path, keep=2, monitor="val_score")
    assert fit(average, [1.0, 1.0, float("nan"), 1.0, 0.5]) == (2 + 4) / 2
    average = CheckpointAverage(tmp_path, keep=2, monitor="val_score", mode="min")
    assert fit(average, [float("nan"), 3.0], epochs=2) == 1.5


def test_a_run_that_goes_on_keeps_its_epochs(tmp_path):
    scores = [1.0, 8.0, 5.0, 9.0, 2.0]
    settings = {"keep": 2, "monitor": "val_score"}
    fit(CheckpointAverage(tmp_path, **settings), scores[:3], epochs=3)
    average = CheckpointAverage(tmp_path, **settings)
    assert fit(average, scores[3:], initial_epoch=3) == (2 + 4) / 2
    assert fit(CheckpointAverage(tmp_path, **settings), epochs=0) == (2 + 4) / 2


def test_a_new_run_clears_an_old_one_away(tmp_path):
    settings = {"keep": 2, "monitor": "val_score"}
    fit(CheckpointAverage(tmp_path, **settings), [7.0, 8.0, 9.0], epochs=3)
    average = CheckpointAverage(tmp_path, **settings)
    assert fit(average, [1.0, 2.0, 0.5], epochs=3) == 1.5
    assert names(tmp_path) == ["epoch-0001", "epoch-0002"]


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(ValueError, match="keep=0, mode='max'"):
        CheckpointAverage(tmp_path, keep=0)
    with pytest.raises(ValueError, match="keep=1, mode='best'"):
        CheckpointAverage(tmp_path, keep=1, mode="best")
    average = CheckpointAverage(tmp_path, monitor="score")
    message = r"\['loss', 'val_score'\].*mean 'val_score'\?"
    with pytest.raises(ValueError, match=message):
        fit(average, [1.0])
