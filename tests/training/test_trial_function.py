import functools
import sys
import types
from pathlib import Path

import pytest
import toy_trials

from kftune.training.trial_function import function_reference, load_function


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
