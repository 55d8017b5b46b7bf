"""Trials in processes of their own, which take seconds to import Keras."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kftune.training import trial_process
from kftune.training.search_study import SearchStudy
from kftune.training.trial_callback import enter_trial
from kftune.training.trial_process import TrialProcess, run_trial

SETTINGS = {"pruner": "nothing", "mode": "min", "monitor": "val_loss"}
TRAINING = """
import os, signal
from kftune.training import trial_callback

def main(*, what, out):
    print("in a trial:", trial_callback.in_trial(), what)
    (out / "checkpoints").mkdir()
    (out / "best.weights.h5").touch()
    if what == "learn":
        return [trial_callback._trial.report({"val_loss": v}) for v in (3, 2)][1] + 0.5
    if what == "prune":
        raise trial_callback.TrialPruned
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    error = ValueError("first line\\nsecond line")
    error.add_note("For simplicity, JAX has\\nremoved its internal frames.")
    raise error
"""
# Stands in for the search: it is killed while its trial sleeps.
SEARCH = """
import sys, time
from pathlib import Path
from kftune.training.search_study import SearchStudy
from kftune.training.trial_process import TrialProcess

folder = Path(sys.argv[1])
(folder / "sleep.py").write_text(
    "def main(out):\\n"
    "    import os, time\\n"
    "    (out / 'pid').write_text(str(os.getpid()))\\n"
    "    time.sleep(600)\\n"
)
settings = {"space": {}, "pruner": "nothing", "mode": "min", "monitor": "val_loss"}
SearchStudy(folder, settings).study.ask()
trial = TrialProcess(folder, 0, f"{folder}/sleep.py:main")
time.sleep(600)
"""


@pytest.fixture
def reference(tmp_path):
    (tmp_path / "training.py").write_text(TRAINING)
    return f"{tmp_path / 'training.py'}:main"


@pytest.fixture
def make_study(tmp_path):
    """Makes a study of one trial, which runs."""

    def make(**space):
        study = SearchStudy(tmp_path, {**SETTINGS, "space": space})
        study.study.ask()
        return study

    return make


@pytest.fixture
def run_here(make_study, reference, tmp_path):
    """Runs a trial in this process; gives what is kept of it."""

    def run(what):
        study = make_study(what=what)
        (tmp_path / "trials" / "0").mkdir(parents=True)
        run_trial(tmp_path, 0, reference)
        return study.trials()[0]

    yield run
    enter_trial(None)


@pytest.mark.long
def test_a_process_reports_to_the_storage(make_study, reference, tmp_path):
    study = make_study(what="learn")
    process = TrialProcess(tmp_path, 0, reference)
    assert "status 0" in process.death()
    assert process.has_ended()
    (trial,) = study.trials()
    assert trial.state.name == "COMPLETE"
    assert trial.intermediate_values == {1: 3.0, 2: 2.0}
    assert trial.value == 0.5
    assert 100 < trial.user_attrs["peak_mb"] < 5000
    folder = tmp_path / "trials" / "0"
    assert "in a trial: True learn" in (folder / "log.txt").read_text()
    assert sorted(p.name for p in folder.iterdir()) == ["best.weights.h5", "log.txt"]


@pytest.mark.long
def test_how_a_process_died_is_told(make_study, reference, tmp_path):
    study = make_study(what="die")
    process = TrialProcess(tmp_path, 0, reference)
    assert process.death() == "ended by signal SIGKILL (often: the memory ran out)"
    assert study.trials()[0].state.name == "RUNNING"


def test_weights_of_a_pruned_trial_do_not_stay(run_here, tmp_path):
    trial = run_here("prune")
    assert trial.state.name == "PRUNED"
    assert trial.user_attrs.keys() == {"peak_mb"}
    assert list((tmp_path / "trials" / "0").iterdir()) == []


def test_why_a_trial_failed_is_told(run_here, tmp_path, capsys):
    trial = run_here("raise")
    assert trial.state.name == "FAIL"
    assert trial.user_attrs["error"] == "ValueError: first line"
    assert "second line" in capsys.readouterr().err
    assert list((tmp_path / "trials" / "0").iterdir()) == []


@pytest.mark.long
def test_a_trial_ends_with_its_search(tmp_path):
    search = subprocess.Popen([sys.executable, "-c", SEARCH, tmp_path])
    file = tmp_path / "trials" / "0" / "pid"
    while not file.exists() or not file.read_text():
        assert search.poll() is None
        time.sleep(0.1)
    pid = int(file.read_text())
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


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Starts a process that runs a program in place of a trial."""

    def start(program):
        (tmp_path / "toy_program.py").write_text(program)
        monkeypatch.setattr(trial_process, "__name__", "toy_program")
        monkeypatch.syspath_prepend(tmp_path)
        return TrialProcess(tmp_path, 0, "none:none")

    return start


def test_an_exit_status_is_told(start):
    process = start("raise SystemExit(4)")
    assert process.death() == "ended with exit status 4 before it could say why"


def test_a_trial_can_be_killed(start, tmp_path):
    process = start("import os, time; print(os.getpid(), flush=True); time.sleep(600)")
    assert not process.has_ended()
    while not (log := (tmp_path / "trials" / "0" / "log.txt").read_text()):
        time.sleep(0.02)
    process.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(int(log), 0)
