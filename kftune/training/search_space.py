"""A search space as plain data: checked, made Optuna's, counted out as a grid."""

import itertools
import math

from kftune.error_text import shortened
from kftune.training.optuna_extra import optuna

_PLAIN = (str, int, float, bool, type(None))


def space_problems(space, grid):
    """Finds all that is wrong with a search space.

    Args:
        space: what was given as the space.
        grid: `bool`. Whether all points are to be tried, which a range without a step
            does not have.

    Returns:
        List of `str`, a problem each; empty if the space is right.
    """
    if not isinstance(space, dict):
        return [f"space: expected a dict of settings. Received: {shortened(space)}"]
    problems = []
    for name, values in space.items():
        try:
            _check_values(name, values, grid)
        except (TypeError, ValueError) as error:
            text = str(error).rstrip(".")
            problems.append(f"{name}: {text}. Received: {shortened(values)}")
    if not searched(space):
        problems.append(
            f"space: expected one list or range at least. Received: {shortened(space)}"
        )
    return problems


def searched(space):
    """The settings of a space that differ between trials, in its order."""
    return {k: v for k, v in space.items() if isinstance(v, list | dict)}


def fixed(space):
    """The settings of a space that all trials share."""
    return {k: v for k, v in space.items() if not isinstance(v, list | dict)}


def distribution(values):
    """Optuna's kind of a list or range; of whole numbers if all numbers of it are.

    Args:
        values: list, or `dict` of `low`, `high`, and `log` or `step`.

    Returns:
        `optuna.distributions.BaseDistribution`.

    Raises:
        TypeError: if a range lacks or has too many entries, or holds no numbers.
        ValueError: if a list is empty or a range makes no sense.
    """
    if isinstance(values, list):
        return optuna.distributions.CategoricalDistribution(values)
    numbers = [number for key, number in values.items() if key != "log"]
    if all(isinstance(number, int) for number in numbers):
        return optuna.distributions.IntDistribution(**values)
    return optuna.distributions.FloatDistribution(**values)


def grid_points(space):
    """Counts out all combinations of a space's lists and stepped ranges.

    Args:
        space: `dict` without problems, see `space_problems`.

    Returns:
        List of `dict`, the searched settings; the last one changes fastest.

    Example:
    ```python
    grid_points({"freeze": ["nothing", "backbone"], "dropout": [0.0, 0.1]})
    ```
    """
    ranges = [
        values if isinstance(values, list) else _steps(**values)
        for values in searched(space).values()
    ]
    return [
        dict(zip(searched(space), point, strict=True))
        for point in itertools.product(*ranges)
    ]


def _steps(low, high, step, log=False):
    """The numbers of a stepped range, `high` included if a step meets it."""
    # A share of a step allows for what binary fractions lose.
    count = math.floor((high - low) / step + 1e-9)
    return [min(low + i * step, high) for i in range(count + 1)]


def _check_values(name, values, grid):
    """Raises what is wrong with a setting, most of it found by Optuna."""
    if name == "out":
        raise ValueError("expected no such setting: each trial has a folder of its own")
    if not isinstance(values, (list, dict, *_PLAIN)):
        raise TypeError("expected a list, a range or one value")
    if isinstance(values, list):
        if not all(isinstance(value, _PLAIN) for value in values):
            raise TypeError("expected texts, numbers, true, false or null in the list")
        if len(set(values)) < len(values):  # 1 and True are the same to Optuna
            raise ValueError("expected each value once in the list")
        distribution(values)
    if isinstance(values, dict):
        distribution(values)
        if not all(map(math.isfinite, values.values())):
            raise ValueError("expected finite numbers in a range")
        if grid and values.get("step") is None:
            raise ValueError("expected a list, or a range with step, for a grid")
