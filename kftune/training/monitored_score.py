"""The score of the logs by which epochs are ranked."""

import math


class MonitoredScore:
    """Reads a score out of the logs of an epoch, and says how good it is.

    Args:
        monitor: str, the log entry.
        mode: `"min"` or `"max"`: which end of it is good.

    Raises:
        ValueError: if `mode` is neither.
    """

    def __init__(self, monitor, mode):
        if mode not in ("min", "max"):
            raise ValueError(f"Expected mode 'min' or 'max'. Received: {mode!r}")
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
            raise ValueError(
                f"Expected {self.monitor!r} in the logs: let the callback that puts it "
                f"there stand before this one. Received: {sorted(logs or {})}"
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
