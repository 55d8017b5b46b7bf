"""Keeps the weights of the best epoch in a file that is whole at any moment."""

from pathlib import Path

import keras
import numpy as np

from kftune.files import reach_disk, write_aside
from kftune.models.layer_tree import lora_layers
from kftune.training.model_state import from_raw, to_arrays
from kftune.training.monitored_score import MonitoredScore


class BestWeights(keras.callbacks.Callback):
    """Writes the weights of the best epoch so far, aside and renamed.

    `keras.callbacks.ModelCheckpoint` writes over the old file: a process that is killed
    then leaves neither the old weights nor the new ones. Of two epochs that are alike
    the first one is best, and not a number is worse than any. Of layers with LoRA the
    factors are kept in a second file, `….lora.npz`: `save_weights` merges them.

    Args:
        path: str or path that ends in `.weights.h5`.
        monitor: str, the log entry that tells the best epoch.
        mode: `"min"` or `"max"`: which end of it is good.

    Raises:
        ValueError: if `mode` is neither, or, in `fit`, if the logs have no such entry.

    Example:
    ```python
    best = BestWeights("runs/a/best.weights.h5", "val_accuracy", "max")
    model.fit(x, y, validation_split=0.1, callbacks=[best])
    load_best_weights(model, "runs/a/best.weights.h5")
    ```
    """

    def __init__(self, path, monitor, mode):
        super().__init__()
        self.path = Path(path)
        self.monitor = monitor
        self._score = MonitoredScore(monitor, mode)
        self._best = None

    def get_state(self):
        """Returns what `RunCheckpoint` keeps: the best score."""
        return {"best": self._best}

    def set_state(self, state):
        """Takes what `get_state` returned."""
        self._best = state["best"]

    def on_train_begin(self, logs=None):
        """Forgets an earlier training."""
        self._best = None

    def on_epoch_end(self, epoch, logs=None):
        """Writes the weights if no epoch was as good."""
        score = self._score.read(logs)
        loss = self._score.loss
        if self._best is None or loss(score) < loss(self._best):
            with write_aside(self.path) as aside:
                self.model.save_weights(aside)
                reach_disk(aside)
            _save_lora(self.model, self.path)
            self._best = score


def load_best_weights(model, path):
    """Loads the weights that `BestWeights` wrote; LoRA factors stay apart.

    `load_weights` alone takes them merged, and leaves factors of zeros, which do not
    learn and are no delta of the base.

    Args:
        model: built `keras.Model`, as it was trained.
        path: str or path of the weights. Where there is no second file with factors,
            as of an average of epochs, they are merged.

    Raises:
        OSError: if the file is missing or damaged.
        ValueError: if it holds weights of another model.

    Example:
    ```python
    load_best_weights(model, "runs/a/best.weights.h5")
    ```
    """
    model.load_weights(path)
    factors = _lora_file(path)
    if factors.exists():
        with np.load(factors, allow_pickle=False) as arrays:
            for name, variable in _lora_variables(model).items():
                variable.assign(from_raw(arrays[name], variable.dtype))


def _save_lora(model, path):
    variables = _lora_variables(model)
    if variables:
        with write_aside(_lora_file(path)) as aside:
            with aside.open("wb") as file:
                np.savez(file, **to_arrays(variables))
            reach_disk(aside)


def _lora_variables(model):
    """Variables of layers with factors, those that the factors stand beside, too."""
    return {
        f"{number}/{place}": variable
        for number, layer in enumerate(lora_layers(model))
        for place, variable in enumerate(layer.variables)
    }


def _lora_file(path):
    path = Path(path)
    return path.with_name(f"{path.name.removesuffix('.weights.h5')}.lora.npz")
