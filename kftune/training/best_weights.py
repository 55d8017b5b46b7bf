"""Keeps the weights of the best epoch in a file that is whole at any moment."""

import math
from pathlib import Path

import keras

from kftune.files import write_aside


class BestWeights(keras.callbacks.Callback):
    """Writes the weights of the best epoch so far, aside and renamed.

    `keras.callbacks.ModelCheckpoint` writes over the old file: a process that is killed
    then leaves neither the old weights nor the new ones. Of two epochs that are alike
    the first one is best, and not a number is worse than any.

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
    model.load_weights("runs/a/best.weights.h5")
    ```
    """

    def __init__(self, path, monitor, mode):
        super().__init__()
        if mode not in ("min", "max"):
            raise ValueError(f"Expected mode 'min' or 'max'. Received: {mode!r}")
        self.path = Path(path)
        self.monitor = monitor
        self.mode = mode
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
        score = (logs or {}).get(self.monitor)
        if score is None:
            raise ValueError(
                f"Expected {self.monitor!r} in the logs: let the callback that puts it "
                f"there stand before this one. Received: {sorted(logs or {})}"
            )
        if self._best is None or self._loss(score) < self._loss(self._best):
            with write_aside(self.path) as aside:
                self.model.save_weights(aside)
            self._best = float(score)

    def _loss(self, score):
        """Smaller is better."""
        if math.isnan(score):
            return math.inf
        return score if self.mode == "min" else -score
