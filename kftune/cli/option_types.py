"""Types of options that say which numbers make sense.

`run_recipe` checks all options of a run before anything else happens; subcommands take
their numbers by a function.
"""

import argparse
import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated


@dataclasses.dataclass(frozen=True, repr=False)
class Limits:
    """Which numbers an option takes.

    Attributes:
        text: str, the limits as a person says them; `--help` and errors show it.
        hold: function that tells whether a number is within them.

    Example:
    ```python
    def main(heads: Annotated[int, Limits("2, 4 or 8", lambda n: n in (2, 4, 8))] = 4):
        ...
    ```
    """

    text: str
    hold: Callable

    def __repr__(self):
        return self.text


@dataclasses.dataclass(frozen=True, repr=False)
class OfRun:
    """Marks the option that is the folder of a run, which `open_run` makes ready.

    A recipe with such an option goes on if it was stopped, tells so if it has ended,
    and has the switch `--overwrite`.
    """

    def __repr__(self):
        return "folder of a run"


def positive_int(text):
    """Reads a number of 1 or more from the command line; a `type` for `argparse`."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more. Received: {text}")
    return number


def at_least(least):
    """Limits of a number that is `least` or more, and finite."""
    return Limits(f"{least} or more", lambda number: least <= number < math.inf)


PositiveInt = Annotated[int, at_least(1)]
NonNegativeInt = Annotated[int, at_least(0)]
PositiveFloat = Annotated[float, Limits("more than 0", lambda x: 0 < x < math.inf)]
NonNegativeFloat = Annotated[float, at_least(0)]
Share = Annotated[float, Limits("from 0 to 1", lambda x: 0 <= x <= 1)]
NonNegativeFloats = Annotated[
    dict[str, float],
    Limits(
        "0 or more each", lambda named: all(0 <= x < math.inf for x in named.values())
    ),
]
PositiveShare = Annotated[float, Limits("more than 0, at most 1", lambda x: 0 < x <= 1)]
DropoutRate = Annotated[float, Limits("from 0 to below 1", lambda x: 0 <= x < 1)]
RunFolder = Annotated[Path, OfRun()]
Seed = Annotated[int, Limits("from 0 to 2**32 - 1", lambda n: 0 <= n < 2**32)]
