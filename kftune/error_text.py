"""Pieces of error messages."""

import difflib


def first_few(values, most=5, show=repr):
    """Shows the first few of many values, and how many there are.

    Args:
        values: sequence of any values.
        most: `int`. How many are shown.
        show: function that gives the text of a value.

    Returns:
        `str`, as in `"3, 7, 8, 12, 40, … (311 in all)"`; `"none"` without values.

    Example:
    ```python
    first_few(["a", "b", "c"], most=2)  # "'a', 'b', … (3 in all)"
    ```
    """
    shown = ", ".join(show(value) for value in values[:most])
    if len(values) > most:
        return f"{shown}, … ({len(values)} in all)"
    return shown or "none"


def did_you_mean(name, names):
    """Asks for the name that was meant.

    Args:
        name: `str` that is none of the names.
        names: iterable of `str`.

    Returns:
        `str`, a question with a space before it; empty if none is near.

    Example:
    ```python
    did_you_mean("val_acc", ["val_loss", "val_accuracy"])
    # " Did you mean 'val_accuracy'?"
    ```
    """
    near = difflib.get_close_matches(name, list(names), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def shortened(value, most=80):
    """Shows a value, cut to what fits in a message.

    Args:
        value: any value.
        most: `int`, characters.

    Returns:
        `str`, its `repr`, with `...` behind what was cut.

    Example:
    ```python
    shortened("abc" * 99, most=6)  # "'abcab..."
    ```
    """
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."


def differences(expected, received, but_for=()):
    """Lists in which entries two settings differ.

    Args:
        expected: `dict` of `str` to any value.
        received: `dict`.
        but_for: names that may differ.

    Returns:
        List of `str`, one for each name in alphabetical order. An entry that one of
        them lacks counts as `None`.

    Example:
    ```python
    differences({"seed": 0, "rows": 9}, {"seed": 1, "rows": 9})
    # ["seed: expected 0, received 1"]
    ```
    """
    return [
        f"{name}: expected {expected.get(name)!r}, received {received.get(name)!r}"
        for name in sorted(expected.keys() | received.keys())
        if name not in but_for and expected.get(name) != received.get(name)
    ]
