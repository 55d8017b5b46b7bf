"""The connection of a training to the search that it is a trial of."""

import keras

from kftune.training.scalar_logs import scalar_logs

_trial = None  # the trial that this process runs


class TrialPruned(Exception):  # noqa: N818 - no error: a trial that need not go on
    """Ends the function of a trial that the search does not need to its end."""


def enter_trial(trial):
    """Makes this process one that runs a trial.

    Args:
        trial: `kftune.training.search_trial.SearchTrial`; `None` to run none.
    """
    global _trial  # noqa: PLW0603 - a process runs one trial
    _trial = trial


def in_trial():
    """Tells whether this process runs a trial of `search`.

    A recipe asks it after the training: what comes behind, such as the scores of the
    test split, is of no use to a search.

    Returns:
        bool.

    Example:
    ```python
    task.fit(train, validation_data=validation, callbacks=[TrialCallback()])
    if not in_trial():
        print(task.evaluate(test))
    ```
    """
    return _trial is not None


class TrialCallback(keras.callbacks.Callback):
    """Reports each epoch to `search`, and stops a trial that falls behind.

    Without a search it does nothing, so that a recipe can always have it. A trial that
    is pruned leaves `fit` after its epoch's callbacks have run.

    `fit_run` has one. Elsewhere put it behind callbacks that add the monitored entry to
    the logs.

    Example:
    ```python
    def train(learning_rate):
        task = make_task(learning_rate)
        task.fit(x, y, validation_split=0.1, callbacks=[TrialCallback()])

    search(train, {"learning_rate": [1e-4, 1e-3]}, "runs/search", n_trials=2)
    ```
    """

    def __init__(self):
        super().__init__()
        self._pruned = False

    def on_train_begin(self, logs=None):
        """Forgets an earlier training."""
        self._pruned = False

    def on_epoch_end(self, epoch, logs=None):
        """Reports the monitored value.

        Raises:
            ValueError: if an entry of the logs is not finite, or the monitored one
                missing.
        """
        if in_trial() and _trial.report(scalar_logs(logs or {})):
            self._pruned = True
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        """Ends a trial that was pruned.

        Raises:
            TrialPruned: if it was.
        """
        if self._pruned:
            raise TrialPruned
