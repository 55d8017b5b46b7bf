"""The first few of many values, for the text of an error."""


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
