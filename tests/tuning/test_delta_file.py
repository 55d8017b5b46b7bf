"""A delta's file: what is in it, and what is no such file."""

import hashlib
import json

import numpy as np
import pytest
import safetensors.numpy

from kftune.tuning.delta_file import read_delta, write_delta

TENSORS = {
    "1 b": np.arange(6, dtype="float32").reshape(2, 3),
    "0 a": np.array(2.5, "float32"),
    "2 c": np.array([[-3], [4]], "int8"),
}
DETAILS = {"policy": "backbone", "frozen": ["1", "2"], "base_name": "käse"}


@pytest.fixture
def path(tmp_path):
    write_delta(tmp_path / "new" / "a.delta", TENSORS, DETAILS)
    return tmp_path / "new" / "a.delta"


def test_what_is_written_is_read(path):
    tensors, details = read_delta(path)
    assert details == DETAILS
    assert tensors.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array)
    assert [p.name for p in path.parent.iterdir()] == ["a.delta"]


def test_the_checksum_is_that_of_hashlib(path):
    with safetensors.safe_open(path, "np") as file:
        metadata = file.metadata()
    expected = hashlib.sha256(
        json.dumps(DETAILS, sort_keys=True).encode()
        + b"\0000 a\0<f4\0()\0"
        + np.array(2.5, "<f4").tobytes()
        + b"\0001 b\0<f4\0(2, 3)\0"
        + np.arange(6, dtype="<f4").tobytes()
        + b"\0002 c\0|i1\0(2, 1)\0"
        + bytes([253, 4])
    ).hexdigest()
    assert metadata["sha256"] == expected


def test_a_changed_byte_is_noticed(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"checksum [0-9a-f]{64}.*a\.delta with"):
        read_delta(path)


def test_changed_details_are_noticed(path):
    content = path.read_bytes()
    assert content.count(b"backbone") == 1
    path.write_bytes(content.replace(b"backbone", b"babkcone"))
    with pytest.raises(ValueError, match="It was changed or damaged since"):
        read_delta(path)


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_a_file_that_is_cut_off_is_refused(length, path):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"whole safetensors file. Received: .*a\.del"):
        read_delta(path)


def test_another_kind_of_file_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    safetensors.numpy.save_file(TENSORS, path, {"format": "pt"})
    with pytest.raises(ValueError, match="of the format 'pt' with 3 tensors"):
        read_delta(path)
    safetensors.numpy.save_file(TENSORS, path)
    with pytest.raises(ValueError, match="of the format None"):
        read_delta(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_delta(tmp_path / "nowhere.delta")
