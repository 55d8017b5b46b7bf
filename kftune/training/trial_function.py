"""The function of a trial, by a name under which a fresh process finds it."""

import importlib
import runpy
import sys
from pathlib import Path


def function_reference(function):
    """Names a function so that a fresh process can load it.

    Args:
        function: function at the top of a module or script; or `str` or `Path` of a
            script with a function `main`.

    Returns:
        `str`, `"/path/of/script.py:name"` or `"package.module:name"`.

    Raises:
        ValueError: if a fresh process could not load it.
    """
    if isinstance(function, str | Path):
        return f"{Path(function).resolve()}:main"
    name = getattr(function, "__qualname__", repr(function))
    module = sys.modules.get(getattr(function, "__module__", None))
    if not callable(function) or getattr(module, name, None) is not function:
        raise ValueError(_expected(name))
    if module.__name__ != "__main__":
        return f"{module.__name__}:{name}"
    if not hasattr(module, "__file__"):
        raise ValueError(_expected(f"{name}, typed into Python or a notebook"))
    return f"{Path(module.__file__).resolve()}:{name}"


def load_function(reference):
    """Loads a function by its reference.

    Args:
        reference: `str` of `function_reference`.

    Returns:
        The function.

    Raises:
        ValueError: if there is no such function.
    """
    where, _, name = reference.rpartition(":")
    if where.endswith(".py"):
        found = runpy.run_path(where).get(name)
    else:
        found = getattr(importlib.import_module(where), name, None)
    if not callable(found):
        raise ValueError(
            f"Expected a function `{name}` in {where}. Received: {found!r}"
        )
    return found


def _expected(received):
    return (
        "Expected a function at the top of a module or script, or the path of a "
        "script with a function `main`: each trial loads it in a process of its own. "
        f"Received: {received}. Move it to the top of a file."
    )
