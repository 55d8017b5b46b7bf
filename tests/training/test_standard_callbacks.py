import csv

import keras
import numpy as np
import pytest

from kftune.training.run_folder import open_run, read_history
from kftune.training.standard_callbacks import standard_callbacks

pytestmark = pytest.mark.backend

X = np.array([[0.0], [1.0], [2.0], [3.0]], "float32")


class StoppedError(Exception):
    """Stands for a kill."""


def fit(folder, rate=0.05, epochs=6, stop_in=None, patience=9):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")

    def stop(epoch, logs):
        if epoch == stop_in:
            raise StoppedError

    open_run(folder, {"rate": rate})
    callbacks = standard_callbacks(folder, "val_loss", "min", patience)
    if stop_in is not None:
        callbacks.append(keras.callbacks.LambdaCallback(on_epoch_begin=stop))
    model.fit(X, X, 4, epochs, validation_data=(X, X), verbose=0, callbacks=callbacks)
    return model


def history(folder):
    with (folder / "history.csv").open() as file:
        return [(int(r["epoch"]), float(r["val_loss"])) for r in csv.DictReader(file)]


def test_a_stopped_run_ends_as_an_unbroken_one(tmp_path):
    whole = fit(tmp_path / "whole")
    with pytest.raises(StoppedError):
        fit(tmp_path / "broken", stop_in=3)
    resumed = fit(tmp_path / "broken")
    assert not (tmp_path / "broken" / "backup").exists()
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    epochs = [epoch for epoch, _ in history(tmp_path / "broken")]
    assert epochs == [0, 1, 2, 3, 4, 5]


def test_a_new_run_in_an_old_folder_starts_its_history_anew(tmp_path):
    fit(tmp_path, epochs=3)
    fit(tmp_path, epochs=2)
    assert [epoch for epoch, _ in history(tmp_path)] == [0, 1]


def test_the_best_weights_survive_a_stop_and_worse_epochs(tmp_path):
    # With this rate each epoch is worse than the one before.
    with pytest.raises(StoppedError):
        fit(tmp_path, rate=0.5, stop_in=2)
    model = fit(tmp_path, rate=0.5)
    model.load_weights(tmp_path / "best.weights.h5")
    losses = [loss for _, loss in history(tmp_path)]
    assert losses[0] == min(losses) < losses[-1]
    assert model.evaluate(X, X, verbose=0) == pytest.approx(losses[0], rel=1e-5)


def test_a_kill_while_the_backup_is_written_is_survived(tmp_path):
    whole = fit(tmp_path / "whole")
    broken = tmp_path / "broken"
    with pytest.raises(StoppedError):
        fit(broken, stop_in=3)
    weights = broken / "backup" / "latest.weights.h5"
    weights.write_bytes(weights.read_bytes()[:100])
    resumed = fit(broken)
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    # An epoch was trained twice; the history has it once.
    assert len(read_history(broken)["val_loss"]) == 6


def test_training_stops_without_progress(tmp_path):
    fit(tmp_path, rate=0.5, patience=2)
    assert len(history(tmp_path)) == 3


def test_mode_must_be_known(tmp_path):
    with pytest.raises(ValueError, match="Received: 'auto'"):
        standard_callbacks(tmp_path, mode="auto")
