"""Keeps the weights of a few epochs, and averages them when training ends."""

import json
from pathlib import Path

import keras

from kftune.files import reach_disk, write_aside
from kftune.training.average_weights import average_weights
from kftune.training.monitored_score import MonitoredScore

_SCORES = "scores.json"


class CheckpointAverage(keras.callbacks.Callback):
    """Averages the weights of the last or the best epochs.

    It keeps under its folder `epoch-0007.weights.h5` and the like, counted from 1, at
    most `keep` of them, and `scores.json`, what the kept epochs scored. When training
    ends it writes `average.weights.h5`, which can be loaded into the model then; the
    model itself is left alone. A run that goes on keeps the epochs before it; one that
    starts at the first epoch clears them away. Let it stand behind `ScoreCallback` and
    before `RunCheckpoint`: what it remembers is in its folder.

    Args:
        folder: str or path, made when missing.
        keep: int, how many epochs are kept.
        monitor: str, the log entry that tells the best epochs; `None` for the last
            ones. A tie goes to the later epoch.
        mode: `"min"` or `"max"`: which end of it is good.

    Raises:
        ValueError: If `keep` or `mode` is none of these, or, in `fit`, if the logs have
            no such entry.

    Example:
    ```python
    average = CheckpointAverage("runs/de/epochs", keep=5, monitor="val_bleu")
    task.fit(train, epochs=20, callbacks=[ScoreCallback(bleu), average])
    task.load_weights(average.path)
    ```
    """

    def __init__(self, folder, keep=5, monitor=None, mode="max"):
        super().__init__()
        if keep < 1 or mode not in ("min", "max"):
            raise ValueError(
                "Expected to keep at least 1 epoch, and mode 'min' or 'max'. Received: "
                f"keep={keep}, mode={mode!r}"
            )
        self.folder = Path(folder)
        self.keep = keep
        self.monitor = monitor
        self._score = MonitoredScore(monitor, mode if monitor else "max")

    @property
    def path(self):
        """`Path` of the averaged weights."""
        return self.folder / "average.weights.h5"

    def on_train_begin(self, logs=None):
        """Forgets the epochs of an earlier training."""
        self._scores = None

    def on_epoch_begin(self, epoch, logs=None):
        """Takes up what the epochs before this one left, and drops anything else."""
        if self._scores is None:
            saved = self._read_scores()
            self._keep([n for n in saved if n <= epoch], saved)
            # A kill may have left one that is in no scores.
            for path in self.folder.glob("epoch-*.weights.h5"):
                if path not in map(self._file, self._scores):
                    path.unlink()

    def on_epoch_end(self, epoch, logs=None):
        """Keeps the epoch's weights if it is among the last or the best."""
        number = epoch + 1
        score = self._score.read(logs) if self.monitor else number
        scores = {**self._scores, number: score}
        kept = sorted(scores, key=lambda n: (self._score.loss(scores[n]), -n))
        kept = kept[: self.keep]
        if number in kept:
            with write_aside(self._file(number)) as aside:
                self.model.save_weights(aside)
                reach_disk(aside)
        self._keep(kept, scores)

    def on_train_end(self, logs=None):
        """Writes the average."""
        numbers = sorted(self._read_scores())
        if numbers:
            average_weights([self._file(n) for n in numbers], self.path)

    def _keep(self, numbers, scores):
        """Notes which epochs are kept, and removes the files of all others."""
        self._scores = {n: scores[n] for n in sorted(numbers)}
        with write_aside(self.folder / _SCORES) as aside:
            aside.write_text(json.dumps(self._scores) + "\n", "utf-8")
        for n in scores.keys() - self._scores.keys():
            self._file(n).unlink(missing_ok=True)

    def _read_scores(self):
        path = self.folder / _SCORES
        saved = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return {int(number): float(score) for number, score in saved.items()}

    def _file(self, number):
        return self.folder / f"epoch-{number:04d}.weights.h5"
