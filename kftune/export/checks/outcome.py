"""What a check found."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a check found.

    Attributes:
        status: `str`: `"ok"`, `"note"` if there was nothing to check, or `"FAILED"`.
        text: `str`, what was shown; or what failed and how to mend it, a problem a
            line.
    """

    status: str
    text: str


def ok(text):
    """The outcome of a check that holds, with what it showed."""
    return Outcome("ok", text)


def note(text):
    """The outcome where there was nothing to check."""
    return Outcome("note", text)


def failed(*problems):
    """The outcome with problems, each told only once."""
    return Outcome("FAILED", "\n".join(dict.fromkeys(problems)))
