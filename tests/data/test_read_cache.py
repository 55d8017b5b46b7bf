import csv
import os

import pytest

from kftune.data import read

pytestmark = pytest.mark.usefixtures("own_cache")


def test_a_changed_file_is_read_anew(write):
    path = write("a.csv", "text\nold\n")
    before = path.stat()
    assert read(path)["text"][:] == ["old"]
    write("a.csv", "text\nnew\n")
    # As a tool that copies time stamps would leave it.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read(path)["text"][:] == ["new"]


def test_an_equal_file_is_served_from_the_cache(write, monkeypatch, tmp_path):
    path = write("a.csv", "text\nold\n")
    read(path)
    monkeypatch.setattr(csv, "reader", None)
    assert read(path)["text"][:] == ["old"]
    assert read(path.rename(tmp_path / "moved.csv"))["text"][:] == ["old"]


def test_the_cache_tells_formats_and_settings_apart(write):
    content = "text\n\xe9,1\n"
    assert read(write("a.txt", content)).num_rows == 2
    assert read(write("a.tsv", content))["text"][:] == ["é,1"]
    assert read(write("a.tsv", content), encoding="latin-1")["text"][:] == ["Ã©,1"]
    assert read(write("a.tsv", content), column_names=["x"])["x"][:] == ["text", "é,1"]
    assert read([write("t.en", content), write("t.de", content)]).num_rows == 2


def test_a_failed_read_leaves_nothing_in_the_cache(write, own_cache):
    with pytest.raises(ValueError, match="line 3"):
        read(write("a.csv", "text,label\na,b\nc\n"))
    assert not [path for path in own_cache.rglob("*") if path.is_file()]
