"""Docstrings of all that is public have the same parts."""

import dataclasses
import importlib
import inspect

import pytest

import kftune


@pytest.mark.parametrize("part", sorted({*kftune.__all__} - {"__version__"}))
def test_what_is_public_is_described(part):
    module, missing = importlib.import_module(f"kftune.{part}"), []
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isclass(thing):
            wanted = ["Example:"]
            wanted += ["Attributes:"] * dataclasses.is_dataclass(thing)
        elif inspect.isfunction(thing):
            wanted = ["Args:"] * bool(inspect.signature(thing).parameters)
        else:
            continue
        text = inspect.getdoc(thing) or ""
        missing += [f"{name}: {each}" for each in wanted if each not in text]
    assert not missing
