"""Scores of a function in the logs, where other callbacks find them."""

import keras


class ScoreCallback(keras.callbacks.Callback):
    """Calls a scoring function after each epoch and adds its scores to the logs.

    Put it before `ModelCheckpoint`, `EarlyStopping` and `CSVLogger` in the list of
    callbacks: they then see its scores and can act on them.

    Args:
        score_fn: function of the model that returns a dict of names to floats.
        prefix: str, put before each name. Defaults to `"val_"`.
        every: int, epochs from one scoring to the next. In between, the last scores
            are repeated, so that every epoch has the same columns. Defaults to 1.

    Raises:
        ValueError: If `every` is less than 1.

    Example:
    ```python
    def score(model):
        return {"accuracy": float(np.mean(model.predict(x)[:, 0] > 0))}

    model.fit(x, y, epochs=3, callbacks=[ScoreCallback(score)])
    ```
    """

    def __init__(self, score_fn, prefix="val_", every=1):
        super().__init__()
        if every < 1:
            raise ValueError(f"`every` must be at least 1 epoch. Received: {every}")
        self.score_fn = score_fn
        self.prefix = prefix
        self.every = every
        self._scores = {}

    def get_state(self):
        """Returns what `RunCheckpoint` keeps: the scores that are repeated."""
        return {"scores": self._scores}

    def set_state(self, state):
        """Takes what `get_state` returned."""
        self._scores = state["scores"]

    def on_train_begin(self, logs=None):
        """Forgets the scores of an earlier training."""
        self._scores = {}

    def on_epoch_end(self, epoch, logs=None):
        """Scores the model and writes the scores into `logs`."""
        if not self._scores or (epoch + 1) % self.every == 0:
            scores = self.score_fn(self.model)
            self._scores = {self.prefix + name: v for name, v in scores.items()}
        if logs is not None:
            logs.update(self._scores)
