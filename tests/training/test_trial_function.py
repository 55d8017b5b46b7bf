import functools
import sys
import types
from pathlib import Path

import pytest
import toy_trials

from kftune.training.trial_function import (
    argument_problems,
    default_settings,
    function_reference,
    list_arguments,
    load_function,
)


def train(learning_rate, batch_size, *, freeze="nothing", dropout=0.1, out=None):
    pass


def test_a_function_is_found_by_its_name():
    reference = function_reference(toy_trials.learn)
    assert reference == "toy_trials:learn"
    assert load_function(reference) is toy_trials.learn


def test_a_script_is_found_wherever_it_lies(tmp_path, monkeypatch):
    script = tmp_path / "train.py"
    script.write_text("def main(*, rate):\n    return 2 * rate\n")
    monkeypatch.chdir(tmp_path)
    for given in ("train.py", Path("train.py"), script):
        reference = function_reference(given)
        assert reference == f"{script}:main"
    assert load_function(reference)(rate=2) == 4


def test_a_script_finds_what_lies_beside_it(tmp_path, monkeypatch):
    (tmp_path / "beside_it.py").write_text("FACTOR = 3\n")
    script = tmp_path / "train.py"
    script.write_text("import beside_it\ndef main(rate):\n    return later() * rate\n")
    later = "def later():\n    from beside_it import FACTOR\n    return FACTOR\n"
    script.write_text(script.read_text() + later)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    assert load_function(function_reference(script))(2) == 6
    assert sys.path[-1] == str(tmp_path)


def test_a_function_of_the_script_that_runs_is_one_of_its_file(tmp_path, monkeypatch):
    script = tmp_path / "train.py"
    script.write_text("def train(rate):\n    return rate + 1\n")
    main = types.ModuleType("__main__")
    main.__file__ = str(script)
    exec("def train(rate): pass", vars(main))
    monkeypatch.setitem(sys.modules, "__main__", main)
    reference = function_reference(main.train)
    assert reference == f"{script}:train"
    assert load_function(reference)(1) == 2

    del main.__file__
    with pytest.raises(ValueError, match="Received: train, typed into Python or a no"):
        function_reference(main.train)


def test_what_a_fresh_process_cannot_find_is_refused():
    def inner():
        pass

    for function, received in (
        (inner, "test_what_a_fresh_process_cannot_find_is_refused.<locals>.inner"),
        (lambda: None, "<lambda>"),
        (functools.partial(print, 1), "functools.partial(<built-in"),
        (3, "3"),
    ):
        with pytest.raises(ValueError, match="at the top of a module") as error:
            function_reference(function)
        assert f"{received}" in str(error.value)
        assert "Move it to the top of a file" in str(error.value)


def test_a_script_without_main_is_an_error(tmp_path):
    (tmp_path / "train.py").write_text("main = 3")
    with pytest.raises(ValueError, match=r"function `main` in .*train.py. Received: 3"):
        load_function(function_reference(tmp_path / "train.py"))
    with pytest.raises(ValueError, match="function `gone` in toy_trials.*None"):
        load_function("toy_trials:gone")


def test_settings_must_be_the_arguments_of_the_function():
    assert argument_problems(train, {"learning_rate": [1], "batch_size": 8}) == []
    problems = argument_problems(train, {"learning_rat": [1], "freeze": "nothing"})
    assert problems == [
        "learning_rat: expected an argument of the function (learning_rate, "
        "batch_size, freeze, dropout, out)",
        "learning_rate: expected a setting, as the function has no default for it",
        "batch_size: expected a setting, as the function has no default for it",
    ]
    assert argument_problems(lambda **settings: None, {"anything": [1]}) == []


def test_defaults_are_taken_if_the_space_holds_all_of_them():
    both = {"freeze": ["nothing", "backbone"], "dropout": {"low": 0.1, "high": 0.3}}
    assert default_settings(train, both) == {"freeze": "nothing", "dropout": 0.1}
    for other in (
        {"freeze": ["backbone"]},
        {"dropout": {"low": 0.2, "high": 0.3}},
        {"learning_rate": {"low": 0.1, "high": 0.2}},  # has none
    ):
        assert default_settings(train, {**both, **other}) is None
    assert default_settings(lambda **settings: None, both) is None


def test_arguments_that_are_lists_are_known_by_their_annotation():
    def train(names: list[str], more: list[int] | None = None, rate: float = 0.1):
        pass

    space = {"names": ["a.tsv", "b.tsv"], "rate": [0.2], "more": None, "other": "b"}
    assert list_arguments(train, space) == {"names": [], "more": None}


def test_a_default_list_is_in_a_space_of_its_values():
    def train(names: list[str] = ["x"], none: list[str] = []):  # noqa: B006
        pass

    space = {"names": ["x", "y"], "none": [None, "z"]}
    assert default_settings(train, space) == {"names": "x", "none": None}
    assert default_settings(train, {"names": ["y"]}) is None


def test_annotations_may_be_strings_or_plain_lists():
    def train(names: "list[str]", more: list, rate: "Unknown" = 1):  # noqa: F821
        pass

    space = {"names": ["a"], "more": ["b"], "rate": [1]}
    assert list_arguments(train, space) == {"more": []}
    del train.__annotations__["rate"]
    assert list_arguments(train, space) == {"names": [], "more": []}
