"""What commands that read lines write: a line for each, and notes on some."""

import contextlib
import sys
from pathlib import Path

from kftune.error_text import first_few
from kftune.files import write_aside

WHOLE = "written whole or not at all; with > FILE, what was done stays"


@contextlib.contextmanager
def open_output(path):
    """Opens a binary stream; what libraries print goes to the standard error meanwhile.

    Args:
        path: str of a file, which appears when all is done, or of a device or pipe,
            which is written to at once; `None` for the standard output.

    Yields:
        A binary file.

    Raises:
        IsADirectoryError: if a folder has that name.
    """
    if path is not None and Path(path).is_dir():
        raise IsADirectoryError(f"Expected a file to write. Received a folder: {path}")
    with contextlib.ExitStack() as stack:
        output = sys.stdout.buffer
        if path is not None and Path(path).exists() and not Path(path).is_file():
            output = stack.enter_context(open(path, "wb"))
        elif path is not None:
            aside = stack.enter_context(write_aside(path))
            output = stack.enter_context(open(aside, "wb"))
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield output


def on_one_line(text):
    """Gives a text without line breaks."""
    return text.replace("\r", " ").replace("\n", " ")


def warn_of_lines(arguments, what, numbers):
    """Tells on the standard error which lines were not as expected, if any.

    Args:
        arguments: `argparse.Namespace`, with the `command`.
        what: str, what is wrong with them.
        numbers: list of int.
    """
    if numbers:
        shown = first_few(numbers, most=20)
        print(f"kftune {arguments.command}: lines {what}: {shown}", file=sys.stderr)


def warn_of_undecoded(arguments, lines):
    """Tells which lines had bytes that are no UTF-8, if any.

    Args:
        arguments: as for `warn_of_lines`.
        lines: `InputLines` that were read.
    """
    what = "with bytes that are no UTF-8, which became U+FFFD"
    warn_of_lines(arguments, what, lines.undecoded)
