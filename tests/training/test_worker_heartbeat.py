import os
import subprocess
import sys
import time

import pytest

from kftune.training.worker_heartbeat import WorkerHeartbeat

PROGRAM = """
import sys
from kftune.training.worker_heartbeat import WorkerHeartbeat

worker = WorkerHeartbeat(sys.argv[1])
print(worker.name, flush=True)
sys.stdin.read()
"""


def test_a_worker_lives_until_it_ends(tmp_path):
    with WorkerHeartbeat(tmp_path) as mine:
        with WorkerHeartbeat(tmp_path) as other:
            assert mine.is_alive(other.name)
            assert other.is_alive(mine.name)
        assert not mine.is_alive(other.name)
        assert [path.name for path in tmp_path.iterdir()] == [mine.name]


@pytest.mark.long
def test_a_killed_worker_is_dead_at_once(tmp_path):
    command = [sys.executable, "-c", PROGRAM, tmp_path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        WorkerHeartbeat(tmp_path) as mine,
        subprocess.Popen(command, **pipes) as process,
    ):
        name = process.stdout.readline().strip()
        assert mine.is_alive(name)
        process.kill()
        process.wait()
        assert (tmp_path / name).exists()
        assert not mine.is_alive(name)


def test_time_tells_of_a_worker_on_another_machine(tmp_path):
    other = tmp_path / "0123456789ab@elsewhere"
    other.touch()
    with WorkerHeartbeat(tmp_path, stale_seconds=60) as mine:
        now = time.time()
        os.utime(other, (now - 30, now - 30))
        assert mine.is_alive(other.name)
        os.utime(other, (now - 90, now - 90))
        assert not mine.is_alive(other.name)
        # What counts is the file server's clock, which may be behind this machine's.
        os.utime(tmp_path / mine.name, (0, 0))
        mine.beat()
        assert (tmp_path / mine.name).stat().st_mtime == pytest.approx(now, abs=30)


def test_a_name_from_the_journal_stays_in_the_folder(tmp_path):
    with (
        WorkerHeartbeat(tmp_path / "workers") as mine,
        pytest.raises(ValueError, match=r"inside .*'../journal.log'"),
    ):
        mine.is_alive("../journal.log")
