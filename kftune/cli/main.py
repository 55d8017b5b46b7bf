"""The console script `kftune`: parse the arguments, call one subcommand."""

import argparse

from kftune import __version__
from kftune.cli import presets


def main(argv=None):
    """Run the `kftune` command.

    Args:
        argv: list of str; `None` takes the process's own arguments.

    Returns:
        int, the exit status: 0 when the subcommand did its work.
    """
    parser = argparse.ArgumentParser(
        prog="kftune", description="Fine-tune text models with Keras 3."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    presets.add_parser(commands)
    arguments = parser.parse_args(argv)
    return arguments.run(arguments)
