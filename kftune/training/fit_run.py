"""A training that can be stopped and goes on, and ends with its best epoch."""

from pathlib import Path

from kftune.training.best_weights import load_best_weights
from kftune.training.checkpoint_average import CheckpointAverage
from kftune.training.data_position import DataPosition
from kftune.training.first_step_time import FirstStepTime
from kftune.training.fit_checks import (
    CheckMonitor,
    CheckPatience,
    check_fit,
    may_log,
    warn_of_unknown_steps,
)
from kftune.training.run_checkpoint import RunCheckpoint
from kftune.training.run_folder import AVERAGES, BEST_WEIGHTS, CHECKPOINTS
from kftune.training.scalar_logs import ScalarLogs
from kftune.training.standard_callbacks import standard_callbacks
from kftune.training.stop_on_divergence import StopOnDivergence
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
    save_freq="epoch",
):
    """Fits a model, goes on with a stopped run, and takes the best epoch's weights.

    A run that was killed at any moment ends as if it had not been, see `RunCheckpoint`.
    One whose training was done when it was killed trains nothing. A warning tells if
    the model has taken steps that no checkpoint knows of, as after an interrupt in the
    first epoch: the run then starts from half-trained weights.
    Within a trial of `search` it reports each epoch, see `TrialCallback`. A metric of
    several numbers, `F1Score(average=None)`, is logged as `f1_score_0`, `f1_score_1`,
    ..., each of which can be monitored.

    Args:
        model: compiled `keras.Model`.
        train: `kftune.data.LengthBucketed` or a sibling.
        validation: what `keras.Model.fit` takes as `validation_data`.
        folder: str or path of the run, which `open_run` has made ready.
        epochs: int, the most epochs.
        monitor: str, the log entry that tells the best epoch; `"val_loss"` with
            `mode="min"` for language models and several heads.
        mode: `"min"` or `"max"`: which end of it is good.
        patience: int, epochs without progress after which training stops.
        averaged: int, takes the mean of the weights of so many best epochs, which
            `CheckpointAverage` keeps in `folder/epochs`; or `None`. A mean has LoRA
            factors merged.
        callbacks: more callbacks, which stand before those that act on the logs: a
            `ScoreCallback` that puts `monitor` there, `SampleCallback`.
        save_freq: `"epoch"`, or int: steps from one checkpoint to the next, for epochs
            that last long.

    Returns:
        The `keras.callbacks.History` of all epochs, those before a stop included, and
        a dict of seconds: `"first_step"`, see `FirstStepTime`, `None` if there was
        none, and `"fit"`, the whole, that before a stop included.

    Raises:
        FloatingPointError: If the training diverges, see `StopOnDivergence`.
        ValueError: If `mode` is neither `"min"` nor `"max"`, or would take the worst
            loss or accuracy for the best, if `averaged` is less than 1, if
            `ReduceLROnPlateau` is to lower the rate of a schedule, or if the optimizer
            keeps averages (`use_ema`). If nothing logs `monitor`, after the first step;
            after the first epoch if callbacks may do so, or if patience ends before a
            `ScoreCallback` scores again. If the model is not compiled.
        TypeError: If `train` is of another kind.

    Example:
    ```python
    open_run("runs/a", {"epochs": 3})
    history, seconds = fit_run(task, train, validation, "runs/a", epochs=3)
    ```
    """
    check_fit(model, train, validation, monitor, callbacks)
    folder = Path(folder)
    best, averages = folder / BEST_WEIGHTS, []
    if averaged is not None:
        averages = [CheckpointAverage(folder / AVERAGES, averaged, monitor, mode)]
        best = averages[0].path
    first_step = FirstStepTime()
    standard = standard_callbacks(folder, monitor, mode, patience)
    first = [ScalarLogs(), DataPosition(train), first_step]
    if not any(map(may_log, callbacks)):
        first.append(CheckMonitor(monitor))
    patient = CheckPatience(monitor, patience, callbacks)
    own = [*callbacks, patient, TrialCallback(), *averages, *standard]
    kept = [StopOnDivergence(train), *own]
    data = train if hasattr(train, "restore") else None
    # Last: an epoch that is in the checkpoint has left all its other traces.
    checkpoint = RunCheckpoint(folder / CHECKPOINTS, kept, data, save_freq)
    warn_of_unknown_steps(model, checkpoint)
    for begin, end in checkpoint.ranges(epochs):
        history = model.fit(
            train,
            initial_epoch=begin,
            epochs=end,
            validation_data=validation,
            shuffle=False,
            callbacks=[*first, *kept, checkpoint],
        )
    history.epoch, history.history = checkpoint.epochs, checkpoint.history
    load_best_weights(model, best)
    return history, {"first_step": first_step.seconds, "fit": checkpoint.seconds}
