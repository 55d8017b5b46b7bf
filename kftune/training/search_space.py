"""A search space as plain data: read from a file, checked, counted out as a grid."""

import inspect
import itertools
import math
import re
from pathlib import Path

import yaml

from kftune.error_text import shortened

_RANGE_KEYS = {"low", "high", "log", "step"}
_PLAIN = (str, int, float, bool, type(None))


class _Loader(yaml.SafeLoader):
    """Reads 1e-5 as a number, as JSON and YAML 1.2 do; PyYAML alone makes it a text."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def read_space(path):
    """Reads a search space from a YAML or JSON file.

    Args:
        path: `str` or `Path`.

    Returns:
        `dict` of setting to list, range or fixed value, as `search` takes it, which
        checks it, too.

    Raises:
        ValueError: if the file holds something else than names and values.

    Example:
    ```python
    space = read_space("recipes/configs/search_reviews.yaml")
    ```
    """
    space = yaml.load(Path(path).read_text("utf-8"), _Loader)
    if not isinstance(space, dict):
        raise ValueError(
            f"Expected a search space in {path}: lines of `setting: [value, ...]` or "
            f"`setting: {{low: ..., high: ...}}`. Received: {shortened(space)}"
        )
    return space


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
    problems = [
        f"{name}: {problem}. Received: {shortened(values)}"
        for name, values in space.items()
        for problem in _value_problems(name, values, grid)
    ]
    if not searched(space):
        problems.append(
            f"space: expected one list or range at least. Received: {shortened(space)}"
        )
    return problems


def argument_problems(function, space):
    """Finds settings that a function does not take, and arguments without a setting.

    Args:
        function: what is called with the settings of a trial.
        space: `dict`, a search space.

    Returns:
        List of `str`, a problem each.
    """
    arguments = inspect.signature(function).parameters
    kinds = {argument.kind for argument in arguments.values()}
    problems = []
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        problems = [
            f"{name}: expected an argument of the function ({', '.join(arguments)})"
            for name in space
            if name not in arguments
        ]
    return problems + [
        f"{name}: expected a setting, as the function has no default for it"
        for name, argument in arguments.items()
        if argument.default is inspect.Parameter.empty
        and argument.kind not in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL)
        and name not in (*space, "out")
    ]


def searched(space):
    """The settings of a space that differ between trials, in its order."""
    return {k: v for k, v in space.items() if isinstance(v, list | dict)}


def fixed(space):
    """The settings of a space that all trials share."""
    return {k: v for k, v in space.items() if not isinstance(v, list | dict)}


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
    return [low + i * step for i in range(count + 1)]


def _value_problems(name, values, grid):
    """What is wrong with one setting."""
    if not isinstance(name, str) or not name.isidentifier():
        return ["expected the name of an argument"]
    if name == "out":
        return ["expected no such setting: each trial has a folder of its own"]
    if isinstance(values, list):
        return _list_problems(values)
    if isinstance(values, dict):
        return _range_problems(values, grid)
    return [] if isinstance(values, _PLAIN) else ["expected a list, range or value"]


def _list_problems(values):
    """What is wrong with a list of choices."""
    if not all(isinstance(value, _PLAIN) for value in values):
        return ["expected texts, numbers, true, false or null in the list"]
    # 1 and True are equal, and the same choice to Optuna.
    if not values or len(set(values)) < len(values):
        return ["expected one value or more in the list, each once"]
    return []


def _range_problems(values, grid):
    """What is wrong with a range."""
    if not {"low", "high"} <= values.keys() <= _RANGE_KEYS:
        return ["expected low and high, and log or step, in a range"]
    numbers = [values[key] for key in ("low", "high", "step") if key in values]
    if not all(_is_number(number) for number in numbers):
        return ["expected finite numbers in a range"]
    log, step = values.get("log", False), values.get("step")
    problems = []
    if not isinstance(log, bool):
        problems.append("expected true or false for log")
    if values["low"] >= values["high"]:
        problems.append("expected low below high")
    if log and values["low"] <= 0:
        problems.append("expected low above 0 with log")
    if log and step is not None:
        problems.append("expected log or step, not both")
    if step is not None and step <= 0:
        problems.append("expected step above 0")
    if grid and step is None:
        problems.append("expected a list, or a range with step, for a grid")
    return problems


def _is_number(value):
    """Whether a value is a finite number; true and false are not meant as such."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
