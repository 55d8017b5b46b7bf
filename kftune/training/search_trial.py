"""A trial of a search, as the process that runs it sees it."""

import contextlib
import math
import numbers

from kftune.training.optuna_extra import optuna
from kftune.training.search_study import trial_folder


class SearchTrial:
    """Reports a trial to the storage of its study.

    Args:
        study: `kftune.training.search_study.SearchStudy`.
        number: `int`, number of a trial that runs.
    """

    def __init__(self, study, number):
        self._study, self._trial = study, study.running_trial(number)
        self.settings = study.settings_of(self._trial)
        self.folder = trial_folder(study.folder, number)
        self._reported = []

    def report(self, logs):
        """Keeps the monitored value of an epoch.

        Args:
            logs: `dict` of log entry to `float`.

        Returns:
            `bool`, `True` if the search does not need the trial to its end.

        Raises:
            ValueError: if an entry is not finite, or the monitored one missing.
        """
        monitor = self._study.settings["monitor"]
        broken = [f"{k}={v}" for k, v in logs.items() if not math.isfinite(v)]
        if broken:
            raise ValueError(
                f"Expected finite numbers in the logs. Received: {', '.join(broken)}"
            )
        if monitor not in logs:
            raise ValueError(
                f"Expected {monitor} in the logs, which the search monitors. "
                f"Received: {', '.join(logs)}"
            )
        self._reported.append(float(logs[monitor]))
        try:
            # Epochs count from 1: pruners of halving take a step for so many epochs.
            self._trial.report(self._reported[-1], len(self._reported))
            return self._trial.should_prune()
        except optuna.exceptions.UpdateFinishedTrialError:
            return True  # others took its worker for dead and try it again

    def complete(self, value, **attributes):
        """Keeps what a trial came to.

        Args:
            value: what the function returned: a number; or anything else, for that of
                the best epoch, if any was reported.
            **attributes: what else is kept, as in `fail`.
        """
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not is_number and self._reported:
            best = {"min": min, "max": max}[self._study.settings["mode"]]
            value, is_number = best(self._reported), True
        if is_number and math.isfinite(value):
            self._tell("COMPLETE", float(value), attributes)
        else:
            error = (
                f"Expected {self._study.settings['monitor']} from TrialCallback, or a "
                f"finite number returned. Received: {value!r:.80}"
            )
            self.fail(error, **attributes)

    def prune(self, **attributes):
        """Keeps that a trial was stopped early."""
        self._tell("PRUNED", None, attributes)

    def fail(self, error, **attributes):
        """Keeps why a trial has no value.

        Args:
            error: `str`.
            **attributes: what else is kept: `peak_mb`, the most memory it held.
        """
        self._tell("FAIL", None, {"error": error, **attributes})

    def _tell(self, state, value, attributes):
        # What has ended already, or is tried again by others, is not told twice.
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
            for name, attribute in attributes.items():
                self._trial.set_user_attr(name, attribute)
            self._study.study.tell(
                self._trial.number,
                value,
                optuna.trial.TrialState[state],
                skip_if_finished=True,
            )
