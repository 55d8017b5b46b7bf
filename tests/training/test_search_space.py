import math

import numpy as np
import pytest

from kftune.training import read_space
from kftune.training.search_space import argument_problems, grid_points, space_problems


def train(learning_rate, batch_size, *, freeze="nothing", out=None):
    pass


def test_a_file_holds_a_space(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(
        "learning_rate: {low: 1e-5, high: 1.0e-3, log: true}\n"
        "batch_size: [16, 32]\n"
        "freeze: [nothing, 'all_but_last:2', null]\n"
        "weight_decay: [1E-2, -2.5e+1]\n"
        "preset: gpt2_tiny_en\n"
    )
    assert read_space(path) == {
        "learning_rate": {"low": 0.00001, "high": 0.001, "log": True},
        "batch_size": [16, 32],
        "freeze": ["nothing", "all_but_last:2", None],
        "weight_decay": [0.01, -25.0],
        "preset": "gpt2_tiny_en",
    }
    path.write_text("- learning_rate")
    with pytest.raises(ValueError, match=r"space.yaml: lines of .*\['learning_rate'\]"):
        read_space(path)


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
    assert [p["layers"] for p in points] == [2, 4] * 8
    assert [p["freeze"] for p in points] == ["nothing"] * 8 + ["backbone"] * 8


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([], "one value or more in the list, each once. Received: []"),
        ([1, 2, 1], "each once. Received: [1, 2, 1]"),
        ([1, True], "each once. Received: [1, True]"),
        ([[1], 2], "texts, numbers, true, false or null in the list"),
        ({"low": 1}, "low and high, and log or step, in a range. Received: {'low': 1}"),
        ({"low": 1, "high": 2, "size": 3}, "low and high, and log or step"),
        ({"low": "1", "high": 2}, "finite numbers in a range"),
        ({"low": True, "high": 2}, "finite numbers in a range"),
        ({"low": 0.0, "high": math.inf}, "finite numbers in a range"),
        ({"low": 2, "high": 1}, "low below high. Received: {'low': 2, 'high': 1}"),
        ({"low": 0.0, "high": 1.0, "log": True}, "low above 0 with log"),
        ({"low": 1, "high": 9, "log": True, "step": 2}, "log or step, not both"),
        ({"low": 1, "high": 9, "log": "yes"}, "true or false for log"),
        ({"low": 1, "high": 9, "step": 0}, "step above 0"),
        (object, "a list, range or value"),
    ],
)
def test_values_that_make_no_sense_are_refused(values, problem):
    (found,) = space_problems({"rate": values, "other": [1]}, grid=False)
    assert found.startswith("rate: expected ")
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
    space = {"out": 3, "no name": [1], "rate": {"low": 2, "high": 1, "step": -1}}
    problems = space_problems(space, grid=False)
    assert len(problems) == 4
    assert "out: expected no such setting: each trial has a folder" in problems[0]
    assert "no name: expected the name of an argument" in problems[1]
    assert space_problems([1], grid=False) == [
        "space: expected a dict of settings. Received: [1]"
    ]
    (nothing,) = space_problems({"rate": 1}, grid=False)
    assert "one list or range at least. Received: {'rate': 1}" in nothing


def test_settings_must_be_the_arguments_of_the_function():
    assert argument_problems(train, {"learning_rate": [1], "batch_size": 8}) == []
    problems = argument_problems(train, {"learning_rat": [1], "freeze": "nothing"})
    assert problems == [
        "learning_rat: expected an argument of the function (learning_rate, "
        "batch_size, freeze, out)",
        "learning_rate: expected a setting, as the function has no default for it",
        "batch_size: expected a setting, as the function has no default for it",
    ]
    assert argument_problems(lambda **settings: None, {"anything": [1]}) == []
