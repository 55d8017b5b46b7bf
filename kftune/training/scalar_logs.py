"""Numbers in the logs where a metric has several."""

import keras
import numpy as np


class ScalarLogs(keras.callbacks.Callback):
    """Writes each number of a metric that has several into an entry of its own.

    `F1Score(average=None)` logs a score a class, of which `TensorBoard` makes an error
    and `CSVLogger` a text. `f1_score` becomes `f1_score_0`, `f1_score_1`, ..., which
    can be monitored as well. Let it stand first in the list of callbacks.

    Raises:
        ValueError: in `fit`, as `scalar_logs`.
    """

    def on_train_batch_end(self, batch, logs=None):
        """Takes the numbers of a step apart, for all callbacks that follow."""
        _take_apart(logs)

    def on_test_end(self, logs=None):
        """Takes those of the validation apart."""
        _take_apart(logs)

    def on_epoch_end(self, epoch, logs=None):
        """Takes those of an epoch apart."""
        _take_apart(logs)


def scalar_logs(logs):
    """Gives each number of an array an entry of its own.

    Args:
        logs: dict of str to number, or to array of any rank.

    Returns:
        Dict of str to number: `"name_0"`, `"name_1"` in place of an array `"name"`; of
        a matrix `"name_0_0"`, `"name_0_1"`. Other entries stay as they are.

    Raises:
        ValueError: if a name is there already, such as that of a second metric.

    Example:
    ```python
    scalar_logs({"loss": 0.5, "f1_score": np.array([0.2, 0.8])})
    # {"loss": 0.5, "f1_score_0": 0.2, "f1_score_1": 0.8}
    ```
    """
    scalars = {}
    for name, value in logs.items():
        for key, number in _entries(name, value):
            if key in scalars:
                raise ValueError(
                    "Expected metrics whose numbers have names of their own. Received "
                    f"twice: {key!r}. Give the metrics other names (name='f1')."
                )
            scalars[key] = number
    return scalars


def _take_apart(logs):
    """Changes the logs themselves, which all callbacks share."""
    if logs:
        scalars = scalar_logs(logs)
        logs.clear()
        logs.update(scalars)


def _entries(name, value):
    """Pairs of a name and a number."""
    if not getattr(value, "shape", ()):
        return [(name, value)]
    array = keras.ops.convert_to_numpy(value)
    return [
        ("_".join([name, *map(str, place)]), float(number))
        for place, number in np.ndenumerate(array)
    ]
