"""Checks the settings of samplers and searches, all at once."""

import numbers


def check_settings(owner, settings, expected):
    """Checks settings.

    Args:
        owner: `str`, the class that they are of.
        settings: `dict` of name to value.
        expected: `dict` of name to a tuple of a function, which tells whether a value
            fits, and a `str`, what is wanted.

    Raises:
        ValueError: if values do not fit; names them all.
    """
    wrong = [
        f"{name} as {wanted}, not {settings[name]!r}"
        for name, (fits, wanted) in expected.items()
        if not fits(settings[name])
    ]
    if wrong:
        raise ValueError(
            f"Expected settings of {owner} that fit. Received: expected "
            f"{'; '.join(wrong)}"
        )


def is_int(value, least):
    """Tells whether a value is an `int`, no `bool`, from a least one on."""
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return is_whole and value >= least


def is_number(value):
    """Tells whether a value is a finite number, no `bool`."""
    numeric = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return numeric and abs(value) < float("inf")


def are_words(value):
    """Tells whether a value is a list of lists of ids, none of them empty."""
    return isinstance(value, list | tuple) and all(
        isinstance(word, list | tuple) and word and all(is_int(i, 0) for i in word)
        for word in value
    )
