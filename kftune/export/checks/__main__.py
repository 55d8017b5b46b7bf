"""Runs one check: `python -m kftune.export.checks NAME FOLDER OPTIONS_AS_JSON`."""

import dataclasses
import importlib
import json
import sys
from pathlib import Path

from kftune.export.checks.outcome import failed
from kftune.export.checks.session_errors import explained


def main(name, folder, options):
    """Prints the outcome of a check as the last line, JSON.

    Args:
        name: `str`, the check.
        folder: `str`, the folder of the version.
        options: `str`, JSON of a `dict`.
    """
    check = importlib.import_module(f"kftune.export.checks.{name}").check
    try:
        outcome = check(Path(folder), json.loads(options))
    except Exception as error:  # whatever a broken export raises is its outcome
        outcome = failed(explained(error))
    print("\n" + json.dumps(dataclasses.asdict(outcome)))


if __name__ == "__main__":
    main(*sys.argv[1:])
