"""The score of the logs by which epochs are ranked."""

import math

from kftune.error_text import did_you_mean


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
