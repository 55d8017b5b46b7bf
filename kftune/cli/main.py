"""The console script `kftune`: parse the arguments, call one subcommand."""

import argparse
import sys

from kftune import __version__
from kftune.cli import (
    chat,
    export,
    generate,
    presets,
    report,
    score,
    translate,
    verify,
)

_SUBCOMMANDS = (chat, export, generate, presets, report, score, translate, verify)
# A package of an extra that is missing is one, too.
_MISTAKES = (ModuleNotFoundError, OSError, RuntimeError, ValueError)


def main(argv=None):
    """Run the `kftune` command.

    Args:
        argv: list of str; `None` takes the process's own arguments.

    Returns:
        int, the exit status: 0 when the subcommand did its work, 1 when files or values
        were not as expected, 130 when it was interrupted, both with a message on the
        standard error.
    """
    parser = argparse.ArgumentParser(
        prog="kftune", description="Fine-tune text models with Keras 3."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    for subcommand in _SUBCOMMANDS:
        subcommand.add_parser(commands)
    arguments = parser.parse_args(argv)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        print(f"kftune {arguments.command}: interrupted", file=sys.stderr)
        return 130
    except _MISTAKES as error:
        print(f"kftune {arguments.command}: {error}", file=sys.stderr)
        return 1
