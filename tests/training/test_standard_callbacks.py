import csv

import keras
import numpy as np
import pytest

from kftune.training import open_run, standard_callbacks

pytestmark = pytest.mark.backend

X = np.array([[0.0], [1.0], [2.0], [3.0]], "float32")


def fit(folder, rate=0.05, epochs=6, patience=9):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    open_run(folder, {"rate": rate})
    callbacks = standard_callbacks(folder, "val_loss", "min", patience)
    model.fit(X, X, 4, epochs, validation_data=(X, X), verbose=0, callbacks=callbacks)
    return model


def history(folder):
    with (folder / "history.csv").open() as file:
        return [(int(r["epoch"]), float(r["val_loss"])) for r in csv.DictReader(file)]


def test_a_new_run_in_an_old_folder_starts_its_history_anew(tmp_path):
    fit(tmp_path, epochs=3)
    fit(tmp_path, epochs=2)
    assert [epoch for epoch, _ in history(tmp_path)] == [0, 1]
    assert {path.name for path in tmp_path.iterdir()} == {
        *("best.weights.h5", "history.csv", "settings.json", "tensorboard")
    }


def test_the_best_weights_survive_worse_epochs(tmp_path):
    # With this rate each epoch is worse than the one before.
    model = fit(tmp_path, rate=0.5, epochs=4)
    model.load_weights(tmp_path / "best.weights.h5")
    losses = [loss for _, loss in history(tmp_path)]
    assert losses[0] == min(losses) < losses[-1]
    assert model.evaluate(X, X, verbose=0) == pytest.approx(losses[0], rel=1e-5)


def test_training_stops_without_progress(tmp_path):
    fit(tmp_path, rate=0.5, patience=2)
    assert len(history(tmp_path)) == 3


def test_mode_must_be_known(tmp_path):
    with pytest.raises(ValueError, match="Received: 'auto'"):
        standard_callbacks(tmp_path, mode="auto")


def test_columns_of_a_run_that_goes_on_are_not_mixed_up(tmp_path):
    fit(tmp_path, epochs=2)
    before = (tmp_path / "history.csv").read_text()

    def go_on(metrics):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=metrics)
        callbacks = standard_callbacks(tmp_path)
        options = {"validation_data": (X, X), "callbacks": callbacks}
        model.fit(X, X, epochs=3, initial_epoch=2, verbose=0, **options)

    message = "history.csv has: loss, val_loss. Received: loss, mae, val_loss, val_mae"
    with pytest.raises(ValueError, match=message):
        go_on(["mae"])
    assert (tmp_path / "history.csv").read_text() == before
    go_on([])
    assert [epoch for epoch, _ in history(tmp_path)] == [0, 1, 2]
