"""`history.csv` of a run that is stopped and goes on."""

import csv
from pathlib import Path

import keras


class HistoryLogger(keras.callbacks.CSVLogger):
    """A `keras.callbacks.CSVLogger` that does not mix up columns.

    The one of Keras writes the scores of a run that goes on under the header that is
    there, whatever they are.

    Raises:
        ValueError: after the first epoch of `fit`, if the file has other columns than
            what is logged.

    Example:
    ```python
    model.fit(x, y, callbacks=[HistoryLogger("history.csv", append=True)])
    ```
    """

    def on_epoch_end(self, epoch, logs=None):
        """Writes a line."""
        if self.append and self.writer is None and not self.append_header:
            self._check(logs or {})
        super().on_epoch_end(epoch, logs)

    def _check(self, logs):
        with Path(self.filename).open(newline="", encoding="utf-8") as file:
            _, *columns = next(csv.reader(file, delimiter=self.sep))
        names = sorted(logs)
        if not any(name.startswith("val_") for name in names):
            names += [f"val_{name}" for name in names]  # as Keras does
        if names != columns:
            raise ValueError(
                f"Expected the logs that {self.filename} has: {', '.join(columns)}. "
                f"Received: {', '.join(names)}. Go on with the metrics and callbacks "
                "of before, or start the run anew."
            )
