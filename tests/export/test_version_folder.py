import os
import signal
import subprocess
import sys

import pytest

from kftune.export.version_folder import versions, write_version


def write(folder, version=None):
    def save(hidden):
        assert hidden.name.startswith(".")
        (hidden / "saved_model.pb").write_text("graph")

    return write_version(folder, save, version)


def test_versions_count_on_from_the_newest(tmp_path):
    folder = tmp_path / "serving" / "reviews"
    write(folder)
    write(folder, 7)
    (folder / "notes").mkdir()
    (folder / "099").mkdir()
    assert write(folder) == folder / "8"
    assert versions(folder) == [1, 7, 8]
    assert (folder / "8" / "saved_model.pb").read_text() == "graph"


def test_a_failed_export_leaves_nothing(tmp_path):
    def fail(hidden):
        (hidden / "saved_model.pb").write_text("half")
        raise ZeroDivisionError

    write(tmp_path / "m")
    with pytest.raises(ZeroDivisionError):
        write_version(tmp_path / "m", fail)
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["1"]


WRITER = """
import sys, time
from kftune.export.version_folder import write_version

def write(hidden):
    (hidden / "half").touch()
    print(hidden.name, flush=True)
    time.sleep(600)

write_version(sys.argv[1], write)
"""


def test_what_a_killed_writer_left_goes_and_a_living_one_stays(tmp_path):
    folder = tmp_path / "m"
    command = [sys.executable, "-c", WRITER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        hidden = folder / writer.stdout.readline().strip()
        assert write(folder) == folder / "1"
        assert (hidden / "half").exists()
        os.kill(writer.pid, signal.SIGKILL)
    (folder / ".writing-notes").mkdir()
    assert (hidden / "half").exists()
    assert write(folder) == folder / "2"
    assert sorted(os.listdir(folder)) == [".writing-notes", "1", "2"]


def test_a_version_written_while_another_is_leaves_it(tmp_path):
    def write_two(hidden):
        write(tmp_path / "m")
        (hidden / "mine").touch()

    assert write_version(tmp_path / "m", write_two) == tmp_path / "m" / "2"
    assert (tmp_path / "m" / "2" / "mine").exists()


@pytest.mark.parametrize("content", [(), ("theirs",)])
def test_a_version_that_is_there_is_never_overwritten(tmp_path, content):
    folder = tmp_path / "m"
    write(folder, 3)
    with pytest.raises(FileExistsError, match="Received: 3, which is in"):
        write(folder, 3)

    def save_slowly(hidden):
        (hidden / "mine").touch()
        theirs = folder / "4"  # Somebody else is faster.
        theirs.mkdir()
        for name in content:
            (theirs / name).touch()

    assert write_version(folder, save_slowly) == folder / "5"
    assert (folder / "5" / "mine").exists()
    (folder / "4").rename(tmp_path / "away")
    with pytest.raises(FileExistsError, match="Received: 4"):
        write_version(folder, save_slowly, 4)
    assert [path.name for path in (folder / "4").iterdir()] == [*content]
    assert versions(folder) == [3, 4, 5]


@pytest.mark.parametrize("name", ["a b", "-rf", "naïve", "x;y"])
def test_names_that_no_model_can_have(tmp_path, name):
    with pytest.raises(ValueError, match="letters, digits"):
        write(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["file", "file/model"])
def test_files_where_folders_should_be(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=f"Received: .*{name}, where a file"):
        write(tmp_path / name)


@pytest.mark.parametrize("version", [0, -1, True, "2", 1.0])
def test_versions_that_no_server_loads(tmp_path, version):
    with pytest.raises(ValueError, match="version of 1 or more"):
        write(tmp_path / "m", version)


def test_a_disk_that_refuses_ends_it(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("read-only")

    monkeypatch.setattr("os.rename", refuse)
    with pytest.raises(PermissionError, match="read-only"):
        write(tmp_path / "m")
    assert not [*(tmp_path / "m").iterdir()]
