"""Learning rates by the path of a weight."""

import re

from kftune.error_text import first_few
from kftune.models.layer_tree import weights_made_to_train
from kftune.tuning.scaled_rates import ScaledRates


def scale_learning_rates(task, optimizer, factors):
    """Makes an optimizer that trains some weights at a multiple of its rate.

    Args:
        task: built `keras.Model` that is going to be compiled.
        optimizer: `keras.optimizers.Optimizer` that is not built yet, such as
            `kftune.training.adamw` makes it.
        factors: dict of regular expression to float above 0, what the rate is
            multiplied by for weights whose whole path matches (`"head/.*"`). All others
            have 1.

    Returns:
        `ScaledRates`, to be compiled with.

    Raises:
        ValueError: if a pattern is no regular expression or matches no weight, if
            several match one weight, or if `ScaledRates` refuses an argument.

    Example:
    ```python
    optimizer = kftune.training.adamw(task, 5e-5, total_steps)
    factors = {"head/.*": 10.0, ".*embedding.*": 0.1}
    task.compile(kftune.tuning.scale_learning_rates(task, optimizer, factors))
    ```
    """
    paths = [weight.path for weight in weights_made_to_train(task)]
    matching = {path: [] for path in paths}
    for pattern in factors:
        for path in filter(_compiled(pattern).fullmatch, paths):
            matching[path].append(pattern)
    used = {pattern for patterns in matching.values() for pattern in patterns}
    if unused := [pattern for pattern in factors if pattern not in used]:
        raise ValueError(
            f"Expected patterns that match the whole path of a weight. Received: "
            f"{unused}, which match none of {first_few(paths)}."
        )
    if several := {path: found for path, found in matching.items() if len(found) > 1}:
        raise ValueError(
            f"Expected one pattern at most for each weight. Received: {several}."
        )
    return ScaledRates(optimizer, factors)


def _compiled(pattern):
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"Expected regular expressions. Received: {pattern!r} ({error})."
        ) from error
