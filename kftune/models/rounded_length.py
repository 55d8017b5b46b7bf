"""Few lengths in place of many, so that little is compiled."""

_SHORTEST = 32


def rounded_length(length, longest):
    """Rounds a length up.

    Args:
        length: `int`.
        longest: `int`.

    Returns:
        `int`: 32, 64, 128, ..., at most `longest`.
    """
    rounded = _SHORTEST
    while rounded < length:
        rounded *= 2
    return min(rounded, longest)
