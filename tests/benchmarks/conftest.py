import runpy
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def run(monkeypatch, capsys):
    """Function: runs a script with arguments, returns what it printed."""

    def run_script(name, *arguments):
        monkeypatch.syspath_prepend(BENCHMARKS)
        monkeypatch.setattr("sys.argv", [name, *arguments])
        runpy.run_path(str(BENCHMARKS / name), run_name="__main__")
        return capsys.readouterr().out

    return run_script
