"""Trials in threads: a search without the seconds that a fresh process takes."""

import threading

from kftune.training.search_study import SearchStudy
from kftune.training.search_trial import SearchTrial
from kftune.training.trial_function import load_function


def learn(*, rate, width=8, epochs=3):
    """Values of epochs that rise to one that is best at a rate of 0.3."""
    for epoch in range(1, 1 + epochs):
        yield (1 - (rate - 0.3) ** 2) * epoch / epochs


def learn_by_default(*, rate=0.5, width=8, epochs=3):
    """Learns, with a default for each setting."""
    return learn(rate=rate, width=width, epochs=epochs)


def fail_above_half(*, rate):
    """Learns with small rates alone."""
    if rate > 0.5:
        raise FloatingPointError(f"rate {rate} is too much")
    return learn(rate=rate)


def fail(*, rate):
    """Never learns."""
    raise MemoryError("no memory left")


def say_nothing(*, rate):
    """Reports no epoch."""
    return ()


class ThreadTrial:
    """Stands in for `TrialProcess`: each value that the function yields is an epoch."""

    def __init__(self, folder, number, reference):
        work = folder, number, load_function(reference)
        self._thread = threading.Thread(target=self._learn, args=work, daemon=True)
        self._thread.start()

    def _learn(self, folder, number, function):
        study = SearchStudy(folder)
        trial = SearchTrial(study, number)
        try:
            for value in function(**trial.settings):
                if trial.report({study.settings["monitor"]: value}):
                    return trial.prune(peak_mb=1)
        except Exception as error:
            return trial.fail(f"{type(error).__name__}: {error}", peak_mb=1)
        return trial.complete(None, peak_mb=1)

    def has_ended(self):
        return not self._thread.is_alive()

    def death(self):
        return "heard by nobody"

    def kill(self):
        pass
