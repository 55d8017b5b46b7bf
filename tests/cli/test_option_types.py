import typing

import pytest

from kftune.cli import option_types


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("PositiveInt", [1, 10**9], [0, -1]),
        ("NonNegativeInt", [0, 7], [-1]),
        ("PositiveFloat", [1e-9, 2.0], [0.0, -1e-3, float("nan"), float("inf")]),
        ("NonNegativeFloat", [0.0, 0.01], [-0.01, float("nan"), float("inf")]),
        ("Share", [0.0, 1.0], [-0.1, 1.1, float("nan")]),
        ("PositiveShare", [0.1, 1.0], [0.0, 1.1, float("nan")]),
        ("DropoutRate", [0.0, 0.99], [1.0, -0.1, float("nan")]),
        ("Seed", [0, 2**32 - 1], [-1, 2**32]),
    ],
)
def test_what_makes_sense_and_what_does_not(name, inside, outside):
    _, limits = typing.get_args(getattr(option_types, name))
    assert all(limits.hold(number) for number in inside)
    assert not any(limits.hold(number) for number in outside)
