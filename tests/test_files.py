import errno
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from small_disk import small_disk

from kftune.files import inside, keras_cache, remove_asides, write_aside

FULL = r"Expected space to write .*weights\. Received: File too large.* make room"


def test_a_file_appears_only_when_the_block_has_ended(tmp_path):
    path = tmp_path / "new" / "results.json"
    with write_aside(path) as aside:
        aside.write_text("whole")
        assert not path.exists()
        assert aside.parent == path.parent
        assert aside.name.endswith("results.json")
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["results.json"]


def test_an_error_keeps_the_old_file_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), write_aside(path) as aside:
        aside.write_text("ha")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["results.json"]


def write_text(path):
    path.write_text("x" * 50_000)


def write_hdf5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.zeros(50_000))


def write_hdf5_on_small_disk(path):
    with small_disk(20_000), write_aside(path) as aside:
        write_hdf5(aside)


def write_folder(path):
    path.mkdir()
    np.savez(path / "x.npz", x=np.zeros(50_000))


@pytest.mark.parametrize("write", [write_text, write_folder])
def test_a_full_disk_is_told_and_costs_nothing(write, tmp_path):
    path = tmp_path / "weights"
    path.write_text("old")
    raising = pytest.raises(OSError, match=FULL)
    with small_disk(20_000), raising as raised, write_aside(path) as aside:
        write(aside)
    assert raised.value.errno == errno.EFBIG
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["weights"]


def test_hdf5_tells_a_full_disk_in_its_own_way(tmp_path):
    path = tmp_path / "weights"
    path.write_text("old")
    # HDF5 can crash a process in which it could not write, files later.
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, context) as process:
        written = process.submit(write_hdf5_on_small_disk, path)
        with pytest.raises(OSError, match=FULL):
            written.result()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["weights"]


def test_other_errors_are_raised_as_they_are(tmp_path):
    raising = pytest.raises(RuntimeError, match="^errno = 5$")
    with raising, write_aside(tmp_path / "weights"):
        raise RuntimeError("errno = 5")


def test_what_a_killed_process_wrote_aside_is_removed(tmp_path):
    program = """
import os, signal, sys
from kftune.files import write_aside

with write_aside(sys.argv[1]) as aside:
    aside.mkdir()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    for name in (".hidden", ".0123456789ab", "abcdef012345-model"):
        (tmp_path / name).mkdir()
    subprocess.run([sys.executable, "-c", program, tmp_path / "model"], check=False)
    assert len(os.listdir(tmp_path)) == 4
    remove_asides(tmp_path)
    remove_asides(tmp_path / "missing")
    assert sorted(os.listdir(tmp_path)) == [
        *(".0123456789ab", ".hidden", "abcdef012345-model")
    ]


def test_a_folder_replaces_a_folder_whole(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with write_aside(path) as aside:
        aside.mkdir()
        (aside / "new.txt").write_text("new")
    assert os.listdir(path) == ["new.txt"]
    assert os.listdir(tmp_path) == ["model"]


def test_an_error_keeps_the_old_folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with pytest.raises(ZeroDivisionError), write_aside(path) as aside:
        aside.mkdir()
        (aside / "new.txt").write_text("new")
        raise ZeroDivisionError
    assert os.listdir(path) == ["old.txt"]
    assert os.listdir(tmp_path) == ["model"]


def test_a_folder_that_cannot_be_renamed_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old.txt").write_text("old")
    replace = os.replace

    def fail_on_the_new_one(source, target):
        if Path(target) == path and not (Path(source) / "old.txt").exists():
            raise OSError("disk")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_on_the_new_one)
    with pytest.raises(OSError, match="disk"), write_aside(path) as aside:
        aside.mkdir()
    assert os.listdir(path) == ["old.txt"]


def test_writing_nothing_is_an_error(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match=r"results\.json"),
        write_aside(tmp_path / "results.json"),
    ):
        pass
    assert not (tmp_path / "results.json").exists()


@pytest.mark.parametrize(
    "name", ["", ".", "/etc/passwd", "../x", "a/../../x", "C:/x", "a\\..\\x", "a\0b"]
)
def test_names_that_leave_the_folder_are_refused(name, tmp_path):
    with pytest.raises(ValueError, match="relative name") as error:
        inside(tmp_path, name)
    assert repr(name) in str(error.value)


def test_names_inside_the_folder_are_joined(tmp_path):
    assert inside(tmp_path, "a/b.txt") == tmp_path / "a" / "b.txt"
    assert inside(tmp_path, "a/") == tmp_path / "a"


def test_cache_follows_keras_home(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert keras_cache("corpora", "x") == tmp_path / "kftune" / "corpora" / "x"
    assert os.listdir(tmp_path) == []
    with pytest.raises(ValueError, match=r"'\.\./x'"):
        keras_cache("../x")


def test_cache_is_in_the_user_folder_without_keras_home(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert keras_cache() == tmp_path / ".keras" / "kftune"


@pytest.mark.long
def test_keras_has_the_same_home(tmp_path):
    # get_file is the public function that shows where Keras keeps its files.
    (tmp_path / "file.txt").write_text("text")
    code = (
        "import pathlib, sys, keras\n"
        "from kftune.files import keras_cache\n"
        "origin = pathlib.Path(sys.argv[1], 'file.txt').as_uri()\n"
        "path = pathlib.Path(keras.utils.get_file('copy.txt', origin))\n"
        "assert path.parents[1] == keras_cache().parent, (path, keras_cache())\n"
    )
    user = tmp_path / "user"
    user.mkdir()
    env = {**os.environ, "HOME": str(user), "PYTHONPATH": os.pathsep.join(sys.path)}
    for home in (None, str(tmp_path / "keras")):
        if home:
            Path(home).mkdir()
            env["KERAS_HOME"] = home
        else:
            env.pop("KERAS_HOME", None)
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=env, check=True)


def test_a_link_stays_one(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "file.txt", tmp_path / "link.txt"
    link.symlink_to(target)
    for text in ("new", "newer"):
        with write_aside(link) as aside:
            aside.write_text(text)
        assert link.is_symlink() and target.read_text() == text
