"""What would go wrong hours after a training has begun, told before."""

import warnings

import keras

from kftune.error_text import did_you_mean
from kftune.training.scalar_logs import scalar_logs
from kftune.training.score_callback import ScoreCallback
from kftune.training.tokens_per_second import TokensPerSecond
from kftune.tuning.optimizer_state import optimizer_parts
from kftune.tuning.recompile import check_compiled


def check_fit(model, train, validation, monitor, callbacks):
    """Checks what `fit_run` gets.

    Args:
        model: compiled `keras.Model`.
        train: its training data.
        validation: its validation data, or `None`.
        monitor: str, the log entry that tells the best epoch.
        callbacks: those of the caller.

    Raises:
        TypeError: if the training data are no `kftune.data.LengthBucketed` or sibling.
        ValueError: if the model is not compiled, if `monitor` needs validation data and
            there are none, if `ReduceLROnPlateau` is to lower the rate of a schedule,
            or if the optimizer keeps averages, which the best epoch's weights would
            replace.
    """
    check_compiled(model)
    _check_train(train)
    if validation is None and monitor.startswith("val_"):
        raise ValueError(
            f"Expected validation data, for monitor={monitor!r}. Received: None. Pass "
            "some, or monitor='loss', mode='min'."
        )
    _check_plateau(model, callbacks)
    averages = any(
        getattr(p, "use_ema", False) for p in optimizer_parts(model.optimizer)
    )
    swaps = any(isinstance(c, keras.callbacks.SwapEMAWeights) for c in callbacks)
    if averages or swaps:
        raise ValueError(
            "Expected an optimizer without use_ema, and no SwapEMAWeights: a run ends "
            "with the weights of its best epoch, as they were trained. Pass "
            "averaged=5 for the mean of the 5 best epochs. Received: use_ema=True"
        )


def warn_of_unknown_steps(model, checkpoint):
    """Tells that a run without a checkpoint does not start from a fresh model.

    Args:
        model: compiled `keras.Model`.
        checkpoint: `RunCheckpoint`.
    """
    steps = int(model.optimizer.iterations)
    if steps and not (checkpoint.epoch or checkpoint.step):
        warnings.warn(
            f"The model has taken {steps} steps that no checkpoint of this run holds, "
            "and goes on from there. Build and compile it anew for a run that starts "
            "from the preset.",
            stacklevel=3,
        )


class CheckMonitor(keras.callbacks.Callback):
    """Ends a training after its first step if nothing logs what is monitored.

    For `fit` without callbacks that `may_log` entries of their own.

    Args:
        monitor: str, a metric's name, after `"val_"` or not.

    Raises:
        ValueError: in `fit`, if no metric has this name.
    """

    def __init__(self, monitor):
        super().__init__()
        self.monitor = monitor

    def on_train_begin(self, logs=None):
        """Begins to wait for the first step."""
        self._waits = True

    def on_train_batch_end(self, batch, logs=None):
        """Looks at the metrics of the first step."""
        if not (self._waits and logs):
            return
        self._waits = False
        names = sorted(scalar_logs(logs))
        if self.monitor.removeprefix("val_") not in names:
            near = did_you_mean(self.monitor, [*names, *(f"val_{n}" for n in names)])
            raise ValueError(
                f"Expected a monitor among {names}, after 'val_' or not. Received: "
                f"{self.monitor!r}.{near} For language models and several heads: "
                "monitor='val_loss', mode='min'."
            )


class CheckPatience(keras.callbacks.Callback):
    """Ends a training after its first epoch if repeated scores would end it soon.

    `EarlyStopping` takes a score that a `ScoreCallback` repeats for no progress.

    Args:
        monitor: str, the log entry that tells the best epoch.
        patience: int, epochs without progress before the training stops.
        callbacks: those that stand before this one.

    Raises:
        ValueError: in `fit`, if patience ends before the monitored score is made again.
    """

    def __init__(self, monitor, patience, callbacks):
        super().__init__()
        self.monitor = monitor
        self.patience = patience
        self.callbacks = callbacks

    def on_epoch_end(self, epoch, logs=None):
        """Looks who has logged what is monitored."""
        for callback in self.callbacks:
            if (
                isinstance(callback, ScoreCallback)
                and self.monitor in callback.get_state()["scores"]
                and callback.every > self.patience
            ):
                raise ValueError(
                    f"Expected patience of at least {callback.every} epochs, after "
                    f"which ScoreCallback logs another {self.monitor!r}. Received: "
                    f"{self.patience}"
                )


def may_log(callback):
    """Tells whether a callback may put entries of its own into the logs of an epoch.

    Args:
        callback: `keras.callbacks.Callback`.

    Returns:
        bool: `True` for a `ScoreCallback` and for code of the user's, whatever it does
        when an epoch ends.
    """
    if isinstance(callback, ScoreCallback | TokensPerSecond):
        return True
    # Not of the class: `LambdaCallback` has a function instead of a method.
    module = getattr(callback.on_epoch_end, "__module__", None) or ""
    return module.split(".")[0] not in ("keras", "kftune")


def _check_train(train):
    """Raises unless a run can tell the data the epoch and what was trained."""
    if not (hasattr(train, "begin_epoch") and hasattr(train, "mark_trained")):
        raise TypeError(
            "Expected train to be a kftune.data.LengthBucketed or a sibling (with "
            "begin_epoch and mark_trained), such as kftune.training.split_batches and "
            f"text_batches make. Received: {type(train).__name__}. For other data, use "
            "fit with kftune.training.RunCheckpoint."
        )


def _check_plateau(model, callbacks):
    """Raises what Keras would raise only when the rate is to fall, hours later."""
    if not any(isinstance(c, keras.callbacks.ReduceLROnPlateau) for c in callbacks):
        return
    optimizer = model.optimizer
    parts = [optimizer, *getattr(optimizer, "optimizers", [])]
    rates = [getattr(part, "learning_rate", None) for part in parts]
    if not all(isinstance(rate, keras.Variable) for rate in rates):
        raise ValueError(
            "Expected an optimizer with a float as its learning_rate, which "
            "ReduceLROnPlateau can lower. Received: none, or a schedule, in "
            f"{type(optimizer).__name__}. Compile with a float, or leave the "
            "callback out."
        )
