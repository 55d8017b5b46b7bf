"""The score of the logs by which epochs are ranked."""

import math

from kftune.error_text import did_you_mean

_MODES = {
    "min": ("loss", "perplexity", "mae", "mse", "error"),
    "max": ("accuracy", "bleu", "chrf", "rougeL", "auc", "f1", "f1_score"),
}


def mode_problem(monitor, mode):
    """Tells what is wrong with a mode: the worst epoch must not be taken for the best.

    Args:
        monitor: str, a log entry; or `None`, of which all is right.
        mode: str, which end of it is to be good.

    Returns:
        str, or `None`.
    """
    if mode not in _MODES:
        return f"Expected mode 'min' or 'max'. Received: {mode!r}"
    for better, names in _MODES.items():
        if better != mode and (monitor or "").endswith(names):
            return f"Expected mode {better!r} for {monitor!r}. Received: {mode!r}"
    return None


class MonitoredScore:
    """Reads a score out of the logs of an epoch, and says how good it is.

    Args:
        monitor: str, the log entry.
        mode: `"min"` or `"max"`: which end of it is good.

    Raises:
        ValueError: if `mode` is neither, or not that of a well-known score, such as a
            loss, a mean error, an accuracy or BLEU.
    """

    def __init__(self, monitor, mode):
        if problem := mode_problem(monitor, mode):
            raise ValueError(problem)
        self.monitor = monitor
        self.mode = mode

    def read(self, logs):
        """Reads the score.

        Args:
            logs: dict of an epoch, or `None`.

        Returns:
            `float`.

        Raises:
            ValueError: if the logs have no such entry.
        """
        if self.monitor not in (logs or {}):
            names = sorted(logs or {})
            raise ValueError(
                f"Expected a monitor among what is logged, {names}. Received: "
                f"{self.monitor!r}.{did_you_mean(self.monitor, names)} If a callback "
                "logs it, let that one stand before this."
            )
        return float(logs[self.monitor])

    def loss(self, score):
        """Gives what is the smaller, the better a score; not a number is worst.

        Args:
            score: `float`.

        Returns:
            `float`.
        """
        if math.isnan(score):
            return math.inf
        return score if self.mode == "min" else -score
