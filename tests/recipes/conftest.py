"""Recipes run as a user runs them: in a process of their own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# An epoch is logged before it is in the checkpoint: the kill comes in between.
KILLED = """
import os, runpy, signal, sys

import keras

log = keras.callbacks.CSVLogger.on_epoch_end

def log_and_die(self, epoch, logs=None):
    log(self, epoch, logs)
    if epoch == {epoch}:
        os.kill(os.getpid(), signal.SIGKILL)

keras.callbacks.CSVLogger.on_epoch_end = log_and_die
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def run_recipe(tmp_path_factory):
    """Runs a recipe with options, to its end or to a `kill -9` after an epoch."""
    folder = tmp_path_factory.mktemp("working_folder")
    environment = {
        **os.environ,
        "KERAS_HOME": str(folder / "keras"),
        "PYTHONPATH": str(ROOT),
        "TF_DETERMINISTIC_OPS": "1",
    }

    def run(name, *options, kill_after_epoch=None, typed=""):
        program = [ROOT / "recipes" / name]
        if kill_after_epoch is not None:
            program = ["-c", KILLED.format(epoch=kill_after_epoch), *program]
        finished = subprocess.run(
            [sys.executable, *program, *map(str, options)],
            cwd=folder,
            env=environment,
            capture_output=True,
            input=typed,
            text=True,
            timeout=600,
            check=False,
        )
        wanted = 0 if kill_after_epoch is None else -signal.SIGKILL
        assert finished.returncode == wanted, finished.stderr
        return finished.stdout

    return run
