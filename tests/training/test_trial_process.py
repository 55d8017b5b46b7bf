"""Trials in processes of their own, which take seconds to import Keras."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kftune.training import trial_process
from kftune.training.trial_process import TrialProcess

TRAINING = """
import os, signal
from kftune.training.trial_callback import in_trial
from kftune.training import trial_callback

def main(*, what, out):
    print("in a trial:", in_trial(), what)
    if what == "learn":
        (out / "backup").mkdir()
        (out / "best.weights.h5").touch()
        return [trial_callback._trial.report({"val_loss": v}) for v in (3, 2)][1] + 0.5
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "leave":
        os._exit(3)
    if what == "dict":
        return {}
    (out / "best.weights.h5").touch()
    raise ValueError("first line\\nsecond line")
"""
# Stands in for the search: it is killed while its trial sleeps.
SEARCH = """
import sys
from pathlib import Path
from kftune.training.trial_process import TrialProcess

folder = Path(sys.argv[1])
(folder / "sleep.py").write_text(
    "def main(out):\\n"
    "    import os, time\\n"
    "    (out / 'pid').write_text(str(os.getpid()))\\n"
    "    time.sleep(600)\\n"
)
trial = TrialProcess(f"{folder}/sleep.py:main", {"out": folder}, folder, "loss")
trial.receive()
"""


@pytest.fixture
def start(tmp_path):
    (tmp_path / "training.py").write_text(TRAINING)

    def start(what):
        settings = {"what": what, "out": tmp_path}
        reference = f"{tmp_path / 'training.py'}:main"
        return TrialProcess(reference, settings, tmp_path, "val_loss")

    return start


def test_a_trial_reports_and_returns_its_value(start, tmp_path):
    trial = start("learn")
    for value, prune in ((3.0, False), (2.0, True)):
        assert trial.receive() == ("report", value)
        trial.reply(prune)
    kind, outcome = trial.receive()
    assert kind == "ended"
    assert 100 < outcome.pop("peak_mb") < 5000
    assert outcome == {"value": 1.5, "pruned": False, "error": None}
    assert "in a trial: True learn" in (tmp_path / "log.txt").read_text()
    assert (tmp_path / "best.weights.h5").exists()
    assert not (tmp_path / "backup").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("die", "ended by signal SIGKILL (often: the memory ran out)"),
        ("leave", "ended with exit status 3 before it could say why"),
        ("raise", "ValueError: first line"),
        ("dict", "TypeError: Expected the function to return a number or nothing. "),
    ],
)
def test_how_a_trial_failed_is_told(start, tmp_path, what, error):
    kind, outcome = start(what).receive()
    assert kind == "ended"
    assert outcome["error"].startswith(error)
    assert not (tmp_path / "best.weights.h5").exists()
    if what == "raise":
        assert "second line" in (tmp_path / "log.txt").read_text()


@pytest.mark.slow
def test_a_trial_ends_with_its_search(tmp_path):
    search = subprocess.Popen([sys.executable, "-c", SEARCH, tmp_path])
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert search.poll() is None
        time.sleep(0.1)
    pid = int((tmp_path / "pid").read_text())
    assert is_running(pid)
    search.kill()
    search.wait()
    deadline = time.monotonic() + 30
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(pid)


def is_running(pid):
    """Whether a process is there and not only its entry in the table."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_a_trial_that_died_does_not_stop_the_search(monkeypatch, tmp_path):
    monkeypatch.setattr(
        trial_process, "_PROGRAM", "raise SystemExit({channel} * 0 + 4)"
    )
    trial = TrialProcess("none:none", {}, tmp_path, "loss")
    assert trial.receive() == (
        "ended",
        {"error": "ended with exit status 4 before it could say why"},
    )


def test_a_trial_can_be_killed(monkeypatch, tmp_path):
    program = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(600)"
    monkeypatch.setattr(trial_process, "_PROGRAM", program + " or {channel}")
    trial = TrialProcess("none:none", {}, tmp_path, "loss")
    while not (log := (tmp_path / "log.txt").read_text()):
        time.sleep(0.02)
    trial.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(int(log), 0)
