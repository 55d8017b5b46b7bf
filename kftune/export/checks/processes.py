"""Runs a module in a fresh Python process."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import kftune


@dataclasses.dataclass(frozen=True)
class Finished:
    """A process that ended.

    Attributes:
        output: `str`, its standard output.
        last_words: `str`, how it ended, and the last line of its standard error.
    """

    output: str
    last_words: str


def run_module(module, arguments):
    """Runs `python -m module` with the packages of this process.

    Args:
        module: `str`.
        arguments: list of `str`.

    Returns:
        `Finished`.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=environment(),
        check=False,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    last = lines[-1].strip() if lines else "nothing on the standard error"
    return Finished(done.stdout, f"{_ending(done.returncode)}: {last}")


def environment():
    """Gives the environment of a Python process that is to find this kftune.

    Returns:
        `dict` of `str` to `str`.
    """
    places = [str(Path(kftune.__file__).parents[1]), os.environ.get("PYTHONPATH")]
    return {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, places)),
    }


def _ending(code):
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"
