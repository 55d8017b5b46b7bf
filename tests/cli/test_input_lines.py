import gzip
import io
import sys
import types

import pytest

from kftune.cli.input_lines import InputLines


def test_lines_of_several_files_follow_each_other(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffeins\n\nzwei\u2028drei\r\nvier".encode())
    with gzip.open(tmp_path / "b.txt.gz", "wb") as file:
        file.write(b"f\xfcnf\nsechs\xff\xe2\n \n")
    lines = InputLines([str(tmp_path / "a.txt"), str(tmp_path / "b.txt.gz")])
    first = ["eins", "", "zwei\u2028drei", "vier"]
    assert list(lines) == [*first, "f\ufffdnf", "sechs\ufffd\ufffd", " "]
    assert lines.undecoded == [5, 6]


@pytest.mark.parametrize("paths", [[], ["-"]])
def test_the_standard_input(paths, monkeypatch):
    stdin = types.SimpleNamespace(buffer=io.BytesIO(b"a\nb\xff\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    lines = InputLines(paths)
    assert list(lines) == ["a", "b\ufffd"]
    assert lines.undecoded == [2]


def test_a_replacement_character_of_the_file_is_no_damage(tmp_path):
    path = tmp_path / "a"
    path.write_text("x \ufffd", "utf-8")
    lines = InputLines([str(path)])
    assert list(lines) == ["x \ufffd"] and not lines.undecoded


def test_all_missing_files_are_named(tmp_path):
    (tmp_path / "there").touch()
    names = [str(tmp_path / name) for name in ("one", "there", "two")]
    with pytest.raises(FileNotFoundError, match="Missing: .*one', '.*two'"):
        InputLines(names)
    with pytest.raises(IsADirectoryError, match="Received: folders"):
        InputLines([names[1], str(tmp_path)])


def test_each_file_may_begin_with_a_byte_order_mark(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes("\ufeffx\ny\n".encode())
    paths = [str(tmp_path / name) for name in "ab"]
    assert list(InputLines(paths)) == ["x", "y", "x", "y"]


def test_a_damaged_archive_is_named(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"one\ntwo\n" * 1000)[:-9])
    with pytest.raises(ValueError, match=r"a\.gz is damaged"):
        list(InputLines([str(path)]))
