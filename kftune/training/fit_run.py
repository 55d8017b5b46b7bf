"""A training that can be stopped and goes on, and ends with its best epoch."""

import time
from pathlib import Path

import keras

from kftune.training.checkpoint_average import CheckpointAverage
from kftune.training.data_position import DataPosition
from kftune.training.first_step_time import FirstStepTime
from kftune.training.run_folder import BEST_WEIGHTS
from kftune.training.standard_callbacks import standard_callbacks
from kftune.training.trial_callback import TrialCallback


def fit_run(
    model,
    train,
    validation,
    folder,
    *,
    epochs,
    monitor="val_accuracy",
    mode="max",
    patience=2,
    averaged=None,
    callbacks=(),
):
    """Fits a model, goes on with a stopped run, and takes the best epoch's weights.

    Within a trial of `search` it reports each epoch, see `TrialCallback`.

    Args:
        model: compiled `keras.Model`.
        train: `kftune.data.LengthBucketed` or a sibling.
        validation: what `keras.Model.fit` takes as `validation_data`.
        folder: str or path of the run, which `open_run` has made ready.
        epochs: int, the most epochs.
        monitor: str, the log entry that tells the best epoch.
        mode: `"min"` or `"max"`: which end of it is good.
        patience: int, epochs without progress after which training stops.
        averaged: int, takes the mean of the weights of so many best epochs, which
            `CheckpointAverage` keeps in `folder/epochs`; or `None`.
        callbacks: more callbacks, which stand before those that act on the logs: a
            `ScoreCallback` that puts `monitor` there, `SampleCallback`.

    Returns:
        The `keras.callbacks.History` of the epochs that were trained now, and a dict
        of seconds: `"first_step"`, see `FirstStepTime`, and `"fit"`, the whole.

    Raises:
        ValueError: If `mode` is neither `"min"` nor `"max"`, `averaged` less than 1, or
            if `ReduceLROnPlateau` is to lower the rate of a schedule.

    Example:
    ```python
    open_run("runs/a", {"epochs": 3})
    history, seconds = fit_run(task, train, validation, "runs/a", epochs=3)
    ```
    """
    _check_plateau(model, callbacks)
    best, averages = Path(folder) / BEST_WEIGHTS, []
    if averaged is not None:
        averages = [CheckpointAverage(Path(folder) / "epochs", averaged, monitor, mode)]
        best = averages[0].path
    first_step = FirstStepTime()
    standard = standard_callbacks(folder, monitor, mode, patience)
    started = time.perf_counter()
    history = model.fit(
        train,
        epochs=epochs,
        validation_data=validation,
        shuffle=False,
        callbacks=[
            DataPosition(train),
            first_step,
            *callbacks,
            TrialCallback(),
            *averages,
            *standard,
        ],
    )
    seconds = {"first_step": first_step.seconds, "fit": time.perf_counter() - started}
    model.load_weights(best)
    return history, seconds


def _check_plateau(model, callbacks):
    """Raises what Keras would raise only when the rate is to fall, hours later."""
    if not any(isinstance(c, keras.callbacks.ReduceLROnPlateau) for c in callbacks):
        return
    parts = getattr(model.optimizer, "optimizers", [model.optimizer])
    floats = [isinstance(part.learning_rate, keras.Variable) for part in parts]
    if not all(floats):
        raise ValueError(
            "Expected an optimizer with a float as its learning_rate, which "
            "ReduceLROnPlateau can lower. Received: a schedule in "
            f"{type(model.optimizer).__name__}. Compile with a float, or leave the "
            "callback out."
        )
