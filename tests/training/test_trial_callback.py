import multiprocessing

import keras
import numpy as np
import pytest

from kftune.training import TrialCallback, in_trial
from kftune.training.trial_callback import Trial, TrialPruned, enter_trial

pytestmark = pytest.mark.backend


@pytest.fixture
def search_end():
    """The search's end of the channel of the trial that this process runs."""
    ours, theirs = multiprocessing.Pipe()
    enter_trial(Trial(theirs, "val_loss"))
    yield ours
    enter_trial(None)


class Rows(keras.callbacks.Callback):
    """Counts epochs that it saw the end of."""

    def on_train_begin(self, logs=None):
        self.epochs, self.ended = 0, False

    def on_epoch_end(self, epoch, logs=None):
        self.epochs += 1

    def on_train_end(self, logs=None):
        self.ended = True


def fit(callbacks, epochs=3, scale=1.0):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = scale * np.ones((4, 2), "float32")
    return model.fit(
        x,
        x[:, :1],
        epochs=epochs,
        validation_data=(x, x[:, :1]),
        callbacks=callbacks,
        verbose=0,
    ).history


def test_each_epoch_is_reported(search_end):
    assert in_trial()
    for _ in range(3):
        search_end.send(False)
    history = fit([TrialCallback()])
    reports = [search_end.recv() for _ in range(3)]
    assert reports == [("report", value) for value in history["val_loss"]]
    assert not search_end.poll()


def test_a_pruned_trial_ends_after_its_epoch(search_end):
    search_end.send(False)
    search_end.send(True)
    rows = Rows()
    with pytest.raises(TrialPruned):
        fit([rows, TrialCallback()])
    assert rows.epochs == 2
    assert rows.ended


def test_numbers_that_are_not_finite_end_a_trial(search_end):
    with pytest.raises(ValueError, match="finite numbers in the logs.*loss=(nan|inf)"):
        fit([TrialCallback()], epochs=9, scale=1e30)
    assert not search_end.poll()


def test_the_monitored_entry_must_be_there(search_end):
    trial = Trial(search_end, "val_bleu")
    with pytest.raises(ValueError, match="val_bleu in the logs.*Received: loss, val_l"):
        trial.report({"loss": 1.0, "val_loss": 2.0})


def test_without_a_search_nothing_happens():
    assert not in_trial()
    assert len(fit([TrialCallback()])["loss"]) == 3
