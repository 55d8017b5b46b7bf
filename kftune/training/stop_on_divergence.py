"""Ends a training whose loss is no number any more, or far above its first."""

import math

import keras

from kftune.error_text import first_few
from kftune.training.divergence import divergence_error


class StopOnDivergence(keras.callbacks.Callback):
    """Raises an error with step, learning rate and rows when the loss diverges.

    `keras.callbacks.TerminateOnNaN` ends `fit` as if it were done, and what comes next
    would evaluate and save a broken model. An error leaves on disk what was good: the
    checkpoints and best weights of the epochs before.

    It looks at the loss after each step, a mean since the epoch began, in which NaN
    stays; and at all losses, those of validation too, after each epoch. Let it stand
    before callbacks that write anything. On JAX `fit` then waits for each step, as it
    does with `DataPosition`.

    Args:
        data: `kftune.data.LengthBucketed` or a sibling that `fit` gets, to name the
            rows of the batch; `None` leaves them out.
        factor: float, more than 1. The training diverges if the loss is so many times
            that of its first step, or of 1 if that was less. `None` minds NaN and
            infinity alone. Defaults to 10.

    Raises:
        ValueError: if `factor` is not more than 1.
        FloatingPointError: in `fit`, if the training diverges.

    Example:
    ```python
    callbacks = [DataPosition(data), StopOnDivergence(data)]
    model.fit(data, epochs=3, shuffle=False, callbacks=callbacks)
    ```
    """

    def __init__(self, data=None, factor=10.0):
        super().__init__()
        if factor is not None and not factor > 1:
            raise ValueError(f"Expected a factor of more than 1. Received: {factor}")
        self.data = data
        self.factor = factor
        self._first_loss = None

    def get_state(self):
        """Returns what `RunCheckpoint` keeps: the loss of the first step."""
        return {"first_loss": self._first_loss}

    def set_state(self, state):
        """Takes what `get_state` returned."""
        self._first_loss = state["first_loss"]

    def on_train_begin(self, logs=None):
        """Forgets an earlier training."""
        self._first_loss = None

    def on_epoch_begin(self, epoch, logs=None):
        """Notes the epoch for the message."""
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        """Checks the mean of the loss since the epoch began."""
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        if self._first_loss is None:
            self._first_loss = loss
        if problem := self._problem(loss):
            what = f"{problem} in epoch {self._epoch + 1}."
            raise divergence_error(self.model, what, self._rows(batch))

    def on_epoch_end(self, epoch, logs=None):
        """Checks all losses of the epoch."""
        losses = {n: v for n, v in (logs or {}).items() if n.endswith("loss")}
        wrong = {n: v for n, v in losses.items() if not math.isfinite(v)}
        if wrong:
            what = f"Expected finite losses. Received {wrong} after epoch {epoch + 1}."
            raise divergence_error(self.model, what)

    def _problem(self, loss):
        if not math.isfinite(loss):
            return f"Expected a finite loss. Received {loss}"
        if self.factor is None:
            return None
        most = self.factor * max(self._first_loss, 1.0)
        if loss > most:
            return (
                f"Expected a loss below {most:.4g}, {self.factor:g} times that of the "
                f"first step ({self._first_loss:.4g}) or of 1. Received {loss:.4g}"
            )
        return None

    def _rows(self, batch):
        """The rows of this step and the one before, whose update may have done it."""
        if not hasattr(self.data, "batch_rows"):
            return ""
        # With steps_per_execution Keras counts on beyond the last step.
        last = min(batch, self.params["steps"] - 1)
        steps = {"this step": last, "the step before": last - 1}
        told = [
            f"{name}: {first_few(self.data.batch_rows(index).tolist(), 40)}"
            for name, index in steps.items()
            if index >= 0
        ]
        return f"Rows of {'; of '.join(told)}. "
