"""The function of a trial: its name for a fresh process, and what it takes."""

import importlib
import inspect
import runpy
import sys
import typing
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
        folder = str(Path(where).parent)
        if folder not in sys.path:  # as `python script.py` finds what lies beside it
            sys.path.append(folder)
        found = runpy.run_path(where).get(name)
    else:
        found = getattr(importlib.import_module(where), name, None)
    if not callable(found):
        raise ValueError(
            f"Expected a function `{name}` in {where}. Received: {found!r}"
        )
    return found


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


def list_arguments(function, space):
    """The settings that the function takes as a list; a search has a value of each.

    Args:
        function: what is called with the settings of a trial.
        space: `dict`, a search space.

    Returns:
        Dict of their names to what null stands for: `None` if the function takes it, or
        an empty list.
    """
    hints = _hints(function)
    lists = {name: hints[name] for name in space if name in hints}
    return {
        name: None if type(None) in typing.get_args(hint) else []
        for name, hint in lists.items()
        if _is_list(hint)
    }


def default_settings(function, space):
    """The function's own defaults of the searched settings, if the space holds them.

    Args:
        function: what is called with the settings of a trial.
        space: `dict` of searched setting to list or range.

    Returns:
        `dict`; `None` if a setting has no default, or one outside of the space.
    """
    arguments = inspect.signature(function).parameters
    if not space.keys() <= arguments.keys():
        return None
    hints = _hints(function)
    defaults = {n: _in_space(arguments[n].default, hints.get(n)) for n in space}
    if all(_holds(space[name], default) for name, default in defaults.items()):
        return defaults
    return None


def _hints(function):
    """The annotations of a function, which may be strings."""
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError):  # of what is not there, or no function
        return getattr(function, "__annotations__", {})


def _in_space(default, hint):
    """A default as a space has it: of a list its value, or null."""
    if not isinstance(default, list) or not _is_list(hint):
        return default
    return default[0] if len(default) == 1 else default or None


def _is_list(hint):
    kinds = [hint, *typing.get_args(hint)]
    return any(list in (kind, typing.get_origin(kind)) for kind in kinds)


def _holds(values, default):
    """Whether a list has a value, or a range spans it; its steps may leave it out."""
    if isinstance(values, list):
        return default in values
    is_number = isinstance(default, int | float)
    return is_number and values["low"] <= default <= values["high"]


def _expected(received):
    return (
        "Expected a function at the top of a module or script, or the path of a "
        "script with a function `main`: each trial loads it in a process of its own. "
        f"Received: {received}. Move it to the top of a file."
    )
