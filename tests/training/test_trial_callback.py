import keras
import numpy as np
import pytest

from kftune.training import TrialCallback, in_trial
from kftune.training.trial_callback import TrialPruned, enter_trial

pytestmark = pytest.mark.backend


class Trial:
    """Keeps what is reported, and prunes at an epoch."""

    def __init__(self, prune_at=None):
        self.reports, self.prune_at = [], prune_at

    def report(self, logs):
        self.reports.append(logs["val_loss"])
        return len(self.reports) == self.prune_at


@pytest.fixture
def enter():
    """Lets this process run a trial."""
    yield enter_trial
    enter_trial(None)


class Rows(keras.callbacks.Callback):
    """Counts epochs that it saw the end of."""

    def on_train_begin(self, logs=None):
        self.epochs, self.ended = 0, False

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1

    def on_train_end(self, logs=None):
        self.ended = True


def fit(callbacks):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((4, 2), "float32")
    return model.fit(
        x,
        x[:, :1],
        epochs=3,
        validation_data=(x, x[:, :1]),
        callbacks=callbacks,
        verbose=0,
    ).history


def test_each_epoch_is_reported(enter):
    trial = Trial()
    enter(trial)
    assert in_trial()
    history = fit([TrialCallback()])
    assert trial.reports == history["val_loss"]
    assert len(trial.reports) == 3


def test_a_pruned_trial_ends_after_its_epoch(enter):
    trial, rows = Trial(prune_at=2), Rows()
    enter(trial)
    with pytest.raises(TrialPruned):
        fit([rows, TrialCallback()])
    assert len(trial.reports) == rows.epochs == 2
    assert rows.ended


def test_without_a_search_nothing_happens():
    assert not in_trial()
    assert len(fit([TrialCallback()])["loss"]) == 3
