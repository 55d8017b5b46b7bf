"""Lines that a person is asked for, one by one."""

import sys

from kftune.cli.input_lines import InputLines


def asked_lines(prompt):
    """Yields lines of the standard input up to a blank one or its end.

    In a terminal each is asked for; nothing is printed if the lines come from a file
    or another program.

    Args:
        prompt: str, what is printed before each line.

    Yields:
        str, not blank.
    """
    shown = prompt if sys.stdin.isatty() else ""
    print(shown, end="", flush=True)
    for line in InputLines([]):
        if not line.strip():
            return
        yield line
        print(shown, end="", flush=True)
