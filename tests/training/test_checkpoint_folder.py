import hashlib
import os

import numpy as np
import pytest
from small_disk import small_disk

from kftune.training.checkpoint_folder import (
    CheckpointFolder,
    position_of,
    read_arrays,
    read_state,
)


@pytest.fixture
def checkpoints(tmp_path):
    """Two of them, after 3 epochs and after 3 and 20 steps."""
    checkpoints = CheckpointFolder(tmp_path / "checkpoints")
    for step in (0, 20):
        arrays = {"model/0": np.full((2, 3), step), "model/1": np.float32(0.1)}
        state = {"best": np.float64(0.1) + step, "nan": np.nan, "epochs": np.arange(3)}
        checkpoints.write((3, step), arrays, state)
    return checkpoints


def test_what_is_written_is_read(checkpoints):
    path = checkpoints.newest()
    assert position_of(path) == (3, 20)
    with read_arrays(path) as arrays:
        assert sorted(arrays) == ["model/0", "model/1"]
        np.testing.assert_array_equal(arrays["model/0"], np.full((2, 3), 20))
        assert arrays["model/1"].dtype == np.float32
        assert arrays["model/1"] == np.float32(0.1)
    state = read_state(path)
    assert state["best"] == np.float64(0.1) + 20
    assert np.isnan(state["nan"])
    assert state["epochs"] == [0, 1, 2]


def test_the_newest_two_are_kept_by_number(checkpoints):
    for position in ((9, 0), (10, 0)):
        checkpoints.write(position, {}, {})
    assert sorted(os.listdir(checkpoints.folder)) == [
        "epoch-000009-step-000000000",
        "epoch-000010-step-000000000",
    ]
    assert position_of(checkpoints.newest()) == (10, 0)


def test_sums_are_those_that_sha256sum_checks(checkpoints):
    path = checkpoints.newest()
    for line in (path / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((path / name).read_bytes()).hexdigest() == digest


def cut(file):
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def flip_a_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def remove(file):
    file.unlink()


@pytest.mark.parametrize("damage", [cut, flip_a_bit, remove])
@pytest.mark.parametrize("name", ["variables.npz", "state.json", "SHA256SUMS"])
def test_a_damaged_one_gives_way_to_the_one_before(checkpoints, damage, name):
    newest = checkpoints.newest()
    damage(newest / name)
    reason = f"No such file.*{name}" if damage is remove else "that SHA256SUMS tells of"
    with pytest.warns(UserWarning, match=f"{newest.name} is damaged: .*{reason}"):
        path = checkpoints.newest()
    assert position_of(path) == (3, 0)
    checkpoints.drop_leftovers(path)
    assert os.listdir(checkpoints.folder) == [path.name]


def test_without_a_whole_one_it_says_so(checkpoints, tmp_path):
    for path in checkpoints.folder.iterdir():
        (path / "state.json").unlink()
    with (
        pytest.warns(UserWarning),
        pytest.raises(OSError, match=r"Received 2, all damaged.*--overwrite"),
    ):
        checkpoints.newest()
    assert CheckpointFolder(tmp_path / "missing").newest() is None


def test_a_full_disk_leaves_the_last_one_whole(checkpoints):
    before = sorted(os.listdir(checkpoints.folder))
    with small_disk(30_000), pytest.raises(OSError, match="epoch-000004.* make room"):
        checkpoints.write((4, 0), {"model/0": np.zeros(10_000)}, {})
    assert sorted(os.listdir(checkpoints.folder)) == before
    assert position_of(checkpoints.newest()) == (3, 20)


@pytest.mark.parametrize(
    ("moment", "left"),
    [
        ("numpy.savez", (3, 20)),
        ("os.fsync", (3, 20)),
        ("os.replace", (3, 20)),
        # Old ones are removed when the new one is there.
        ("shutil.rmtree", (4, 0)),
    ],
)
def test_an_error_in_the_midst_leaves_a_whole_one(
    checkpoints, moment, left, monkeypatch
):
    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(moment, fail)
        checkpoints.write((4, 0), {"model/0": np.zeros(9)}, {})
    assert position_of(checkpoints.newest()) == left


def test_no_pickle_is_read(checkpoints):
    path = checkpoints.newest()
    np.savez(path / "variables.npz", x=np.array([{}], dtype=object))
    with read_arrays(path) as arrays, pytest.raises(ValueError, match="allow_pickle"):
        arrays["x"]


@pytest.mark.parametrize("fails", [1, 2])
def test_what_a_kill_kept_from_being_removed_goes_later(
    checkpoints, fails, monkeypatch
):
    """Killed after the third was there, before or while the first was removed."""
    left = [fails, os.unlink]

    def fail(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        left[1](*args, **kwargs)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("os.unlink", fail)
        checkpoints.write((4, 0), {"model/0": np.zeros(9)}, {})
    assert len(os.listdir(checkpoints.folder)) == 3
    checkpoints.drop_leftovers(checkpoints.newest())
    assert sorted(os.listdir(checkpoints.folder)) == [
        "epoch-000003-step-000000020",
        "epoch-000004-step-000000000",
    ]
