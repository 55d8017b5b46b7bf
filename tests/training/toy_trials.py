"""Trials in threads: a search without the seconds that a fresh process takes."""

import multiprocessing
import threading

from kftune.training.trial_callback import Trial
from kftune.training.trial_function import load_function


def learn(*, rate, width=8, epochs=3):
    """Values of epochs that rise to one that is best at a rate of 0.3."""
    for epoch in range(1, 1 + epochs):
        yield (1 - (rate - 0.3) ** 2) * epoch / epochs


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

    def __init__(self, reference, settings, folder, monitor):
        self.channel, self._theirs = multiprocessing.Pipe()
        self._trial = Trial(self._theirs, monitor)
        self._run = load_function(reference), settings
        threading.Thread(target=self._learn, daemon=True).start()

    def _learn(self):
        function, settings = self._run
        outcome = {"value": None, "pruned": False, "error": None, "peak_mb": 1}
        try:
            outcome["pruned"] = any(
                self._trial.report({self._trial.monitor: value})
                for value in function(**settings)
            )
        except Exception as error:
            outcome["error"] = f"{type(error).__name__}: {error}"
        self._theirs.send(("ended", outcome))

    def receive(self):
        return self.channel.recv()

    def reply(self, prune):
        self.channel.send(prune)

    def kill(self):
        pass
