import subprocess
import sys

import pytest

from kftune.training import close_run, open_run
from kftune.training.run_lock import lock_run, unlock_run

OTHER = """
import sys
from kftune.training.run_lock import lock_run
lock_run(sys.argv[1])
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that trains in a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"locked\n"
    yield process
    process.kill()
    process.communicate()


def test_a_folder_that_another_process_trains_in_is_left_alone(tmp_path, other):
    (tmp_path / "history.csv").write_text("epoch,loss\n0,3.0\n")
    with pytest.raises(BlockingIOError, match="no other process trains in"):
        open_run(tmp_path, {"epochs": 3})
    assert (tmp_path / "history.csv").exists()
    (tmp_path / "history.csv").unlink()

    other.kill()  # the lock goes with it, however it ends
    other.wait()
    open_run(tmp_path, {"epochs": 3})
    open_run(tmp_path, {"epochs": 3})  # the same process may


def test_a_run_that_was_refused_is_free(tmp_path):
    (tmp_path / "history.csv").write_text("mine")
    with pytest.raises(FileExistsError):
        open_run(tmp_path, {"epochs": 3})
    assert not lock_run(tmp_path)  # True: it was locked by this process
    with pytest.raises(FileExistsError):
        open_run(tmp_path, {"epochs": 3})
    assert lock_run(tmp_path)
    unlock_run(tmp_path)


@pytest.mark.long
def test_a_closed_run_is_free(tmp_path):
    open_run(tmp_path, {"epochs": 3})
    code = OTHER.replace("sys.stdin.read()", "")
    command = [sys.executable, "-c", code, tmp_path]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1
    close_run(tmp_path)
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
