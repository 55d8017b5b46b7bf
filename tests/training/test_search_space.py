import math

import numpy as np
import pytest

from kftune.training.search_space import grid_points, space_problems


def test_a_grid_has_all_combinations_in_order():
    space = {
        "freeze": ["nothing", "backbone"],
        "epochs": 3,
        "dropout": {"low": 0.0, "high": 0.3, "step": 0.1},
        "layers": {"low": 2, "high": 5, "step": 2},
    }
    points = grid_points(space)
    assert [list(point) for point in points] == [["freeze", "dropout", "layers"]] * 16
    dropouts = np.repeat(np.linspace(0, 0.3, 4), 2)
    np.testing.assert_allclose([p["dropout"] for p in points], np.tile(dropouts, 2))
    assert max(p["dropout"] for p in points) == 0.3
    assert [p["layers"] for p in points] == [2, 4] * 8
    assert [p["freeze"] for p in points] == ["nothing"] * 8 + ["backbone"] * 8


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([], "must contain one or more elements. Received: []"),
        ([1, 2, 1], "expected each value once in the list. Received: [1, 2, 1]"),
        ([1, True], "expected each value once in the list. Received: [1, True]"),
        ([[1], 2], "expected texts, numbers, true, false or null in the list"),
        ({"low": 1}, "missing 1 required positional argument: 'high'. Received: {'lo"),
        ({"low": 1, "high": 2, "size": 3}, "unexpected keyword argument 'size'"),
        ({"low": "1", "high": 2}, "not supported between instances of 'str' and 'int'"),
        ({"low": 0.0, "high": math.inf}, "finite numbers in a range"),
        ({"low": 0.0, "high": math.nan}, "finite numbers in a range"),
        ({"low": 2, "high": 1}, "but got (low=2, high=1). Received: {'low': 2, 'high'"),
        ({"low": 0.0, "high": 1.0, "log": True}, "`low > 0` must hold for `log=True`"),
        ({"low": 1.0, "high": 9, "log": True, "step": 2}, "`step` is not supported"),
        ({"low": 1, "high": 9, "step": 0}, "`step > 0` must hold, but got step=0."),
        (object, "expected a list, a range or one value"),
    ],
)
def test_values_that_make_no_sense_are_refused(values, problem):
    (found,) = space_problems({"rate": values, "other": [1]}, grid=False)
    assert found.startswith("rate: ")
    assert problem in found


def test_a_grid_needs_steps():
    space = {
        "rate": {"low": 0.1, "high": 0.2},
        "size": {"low": 1, "high": 3, "step": 1},
    }
    assert space_problems(space, grid=False) == []
    (problem,) = space_problems(space, grid=True)
    assert problem.startswith("rate: expected a list, or a range with step, for a grid")


def test_all_problems_of_a_space_come_at_once():
    space = {"out": 3, "rate": {"low": 2, "high": 1}}
    problems = space_problems(space, grid=False)
    assert len(problems) == 2
    assert "out: expected no such setting: each trial has a folder" in problems[0]
    assert "rate: `low <= high` must hold" in problems[1]
    assert space_problems([1], grid=False) == [
        "space: expected a dict of settings. Received: [1]"
    ]
    (nothing,) = space_problems({"rate": 1}, grid=False)
    assert "one list or range at least. Received: {'rate': 1}" in nothing
