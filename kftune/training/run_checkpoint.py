"""Writes all that a training is made of, and takes it up again."""

import time

import keras

from kftune.training.callback_state import (
    check_callbacks,
    get_callback_states,
    set_callback_states,
)
from kftune.training.checkpoint_folder import (
    CheckpointFolder,
    position_of,
    read_arrays,
    read_state,
)
from kftune.training.divergence import check_weights
from kftune.training.model_state import (
    describe,
    load_arrays,
    metric_variables,
    to_arrays,
    training_variables,
)
from kftune.training.random_state import get_random_state, set_random_state

_TOLD = ("stopped", "epochs", "history", "seconds")


class RunCheckpoint(keras.callbacks.Callback):
    """Lets a training that was killed at any moment end as if it had not been.

    After each epoch, or every so many steps, it writes a checkpoint: weights, the
    optimizer with its step count and averages, the states of all random generators,
    what the other callbacks remember, the position in the data and the history. Two
    are kept; see `CheckpointFolder`. Given the same model, data and callbacks, in a
    process of its own, it restores the newest whole one when training begins. On
    hardware and a backend that compute the same twice, the weights are then the same
    to the bit as those of a training that was never stopped.

    Compared with `keras.callbacks.BackupAndRestore`, it keeps the random states,
    callbacks, and factors of LoRA, takes up an epoch in its midst, and notices files
    that are damaged. Weights that are not finite are never written.

    Let it stand last in the list of callbacks, and train what `ranges` says. What it
    restores, in this order: callbacks, of which one may change what is trained
    (`GradualUnfreezing`), then the optimizer, which is built for that, and all
    variables, then random states. In the midst of an epoch the metrics follow in
    `on_epoch_begin`, and random states before its first step.

    Args:
        folder: str or path of the checkpoints, made when missing.
        callbacks: the callbacks of `fit` whose memory is kept: those of Keras that
            have one, and those with `get_state` and `set_state`; others do not matter.
        data: `kftune.data.LengthBucketed` or a sibling that `fit` gets, with
            `DataPosition` first among the callbacks; `None` for data whose order
            follows from the epoch's number, such as `EndlessBatches`.
        save_freq: `"epoch"`, or int: so many steps, beside each end of an epoch. It
            needs `data`.

    Attributes:
        epoch: int, how many whole epochs were trained.
        step: int, how many steps of the next epoch.
        stopped: bool, whether a callback ended the training before its last epoch.
        epochs: list of int, those trained whole, in all processes.
        history: dict of str to list of float, what they logged.
        seconds: float, the time in `fit` up to the checkpoint, in all processes.

    Raises:
        ValueError: if `save_freq` is neither, or has no `data`; for a callback that
            cannot be restored; if the position was saved for other data. In `fit`: if
            it begins elsewhere than `ranges` says, or if backend, model or callbacks
            are others than those of the checkpoint.
        FloatingPointError: in `fit`, instead of writing weights that are not finite.
        OSError: if no checkpoint is whole, or, in `fit`, if there is no space left.

    Example:
    ```python
    stop = keras.callbacks.EarlyStopping("loss", patience=2)
    checkpoint = RunCheckpoint("runs/a/checkpoints", [stop], data, save_freq=500)
    callbacks = [DataPosition(data), stop, checkpoint]
    for begin, end in checkpoint.ranges(9):
        settings = {"initial_epoch": begin, "epochs": end, "callbacks": callbacks}
        model.fit(data, shuffle=False, **settings)
    ```
    """

    def __init__(self, folder, callbacks=(), data=None, save_freq="epoch"):
        super().__init__()
        _check_save_freq(save_freq, data)
        check_callbacks(callbacks)
        self.callbacks = list(callbacks)
        self.data = data
        self.save_freq = save_freq
        self._files = CheckpointFolder(folder)
        state = self._read()
        if data is not None and self._path is not None:
            # The rest of an epoch must be known before `fit` counts its steps.
            restore = data.restore if self.step else data.check_position
            restore(state["position"])

    def ranges(self, epochs):
        """Tells what is left to train.

        The rest of an epoch is a `fit` of its own, as Keras wants as many steps in each
        epoch of one; the next `fit` then goes on from the checkpoint at its end.

        Args:
            epochs: int, of the whole training.

        Yields:
            Pairs of int for `fit`, `initial_epoch` and `epochs`. The last one is equal
            if nothing is left: `fit` then restores the model and trains nothing.
        """
        if self.step and self.epoch < epochs:
            yield self.epoch, self.epoch + 1
        yield epochs if self.stopped else min(self.epoch, epochs), epochs

    def on_train_begin(self, logs=None):
        """Restores the newest checkpoint."""
        self._began = time.perf_counter()
        self._first, self._random = True, None
        state = self._read()
        self._seconds_before = self.seconds
        if self._path is None:
            return
        _check_backend(state["backend"])
        with read_arrays(self._path) as arrays:
            set_callback_states(self.callbacks, state["callbacks"], arrays)
            variables = training_variables(self.model)
            load_arrays(variables, arrays, state["variables"])
        self._random = state["random"]
        if not self.step:
            self._restore_random()
        self._files.drop_leftovers(self._path)

    def on_epoch_begin(self, epoch, logs=None):
        """Checks that `fit` goes on where it stopped, with the metrics it had."""
        self._steps_before, self._saved = self.step, 0
        if self._first and epoch != self.epoch:
            raise ValueError(
                f"Expected training to go on in epoch {self.epoch}: pass fit "
                f"initial_epoch and epochs as `ranges` tells. Received: {epoch}"
            )
        if self._first and self.step:
            self._restore_metrics()
        self._first = False

    def on_train_batch_begin(self, batch, logs=None):
        """Restores random states in the midst of an epoch, whose begin drew some."""
        self._restore_random()

    def on_train_batch_end(self, batch, logs=None):
        """Writes a checkpoint if it is time, unless the epoch ends with this step."""
        if self.save_freq == "epoch" or batch + 1 >= self.params["steps"]:
            return
        if batch + 1 - self._saved >= self.save_freq:
            self._saved = batch + 1
            self.step = self._steps_before + batch + 1
            self._write(metric_variables(self.model))

    def on_epoch_end(self, epoch, logs=None):
        """Writes a checkpoint."""
        self.epoch, self.step = epoch + 1, 0
        self.epochs.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self.stopped = self.model.stop_training
        self._write()

    def _read(self):
        """Takes up what the newest checkpoint tells of the training."""
        self._path = self._files.newest()
        if self._path is None:
            self.epoch, self.step = 0, 0
            state = {"stopped": False, "epochs": [], "history": {}, "seconds": 0.0}
        else:
            self.epoch, self.step = position_of(self._path)
            state = read_state(self._path)
        for name in _TOLD:
            setattr(self, name, state[name])
        return state

    def _write(self, metrics=None):
        check_weights(self.model, self._files.folder)
        variables, metrics = training_variables(self.model), metrics or {}
        callbacks, weights = get_callback_states(self.callbacks)
        self.seconds = self._seconds_before + time.perf_counter() - self._began
        position = None
        if self.data is not None:
            position = {"epoch": self.epoch, "batch": self.step}
            position["settings"] = self.data.settings()
        state = {
            "backend": keras.config.backend(),
            "position": position,
            **{name: getattr(self, name) for name in _TOLD},
            "callbacks": callbacks,
            "random": get_random_state(),
            "variables": describe(variables),
            "metrics": describe(metrics),
        }
        arrays = {**to_arrays({**variables, **metrics}), **weights}
        self._files.write((self.epoch, self.step), arrays, state)

    def _restore_random(self):
        if self._random is not None:
            set_random_state(self._random)
            self._random = None

    def _restore_metrics(self):
        saved = read_state(self._path)["metrics"]
        if len(metric_variables(self.model)) != len(saved):
            # TensorFlow makes them in the first step. Tasks would tokenise the batch.
            keras.Model.test_on_batch(self.model, *self.data[0])
        with read_arrays(self._path) as arrays:
            load_arrays(metric_variables(self.model), arrays, saved)


def _check_save_freq(save_freq, data):
    is_steps = isinstance(save_freq, int) and save_freq >= 1
    if save_freq != "epoch" and not is_steps:
        raise ValueError(
            f"Expected save_freq 'epoch', or 1 step or more. Received: {save_freq!r}"
        )
    if is_steps and data is None:
        raise ValueError(
            "Expected data with a position, such as kftune.data.LengthBucketed, to "
            f"save in the midst of an epoch. Received: save_freq={save_freq}, data=None"
        )


def _check_backend(saved):
    backend = keras.config.backend()
    if backend != saved:
        raise ValueError(
            f"Expected the backend of the checkpoint, {saved!r}. Received: {backend!r}"
            f". Set KERAS_BACKEND={saved}, or start the run anew (--overwrite)."
        )
