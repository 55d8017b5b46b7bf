"""Recipes run as a user runs them: in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run_script(tmp_path):
    """Run a recipe with options; gives the finished process."""

    def run(name, *options):
        command = [sys.executable, ROOT / "recipes" / name, *map(str, options)]
        environment = {
            **os.environ,
            "KERAS_HOME": str(tmp_path / "keras"),
            "PYTHONPATH": str(ROOT),
        }
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    return run
