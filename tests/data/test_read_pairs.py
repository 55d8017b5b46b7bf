import pytest
from datasets import Dataset

from kftune.data import read_pairs, split
from kftune.data.message_corpora import MESSAGE_CORPORA

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def corpus(monkeypatch):
    """Stands in for a corpus of messages; gives the languages it was asked for."""
    asked = []

    class Corpus:
        def read(self, language):
            asked.append(language)
            return Dataset.from_dict(
                {
                    "source": ["%d file", "%d files"],
                    "target": ["%d Datei", "%d Dateien"],
                    "context": ["", ""],
                    "group": ["%d file", "%d file"],
                }
            )

    monkeypatch.setitem(MESSAGE_CORPORA, "django", Corpus())
    return asked


def test_sources_stand_one_behind_the_other(corpus, write):
    english, german = write("a.en", "one\ntwo\n"), write("a.de", "eins\nzwei\n")
    parallel = f"{english}+{german}"
    catalogue = write("a.po", 'msgid "three"\nmsgstr "drei"\n')
    rows = read_pairs(["django", parallel, catalogue], language="de")
    assert rows.column_names == ["source", "target", "group"]
    assert rows["target"][:] == ["%d Datei", "%d Dateien", "eins", "zwei", "drei"]
    assert rows["group"][:] == ["%d file", "%d file", None, None, None]
    assert corpus == ["de"]


def test_rows_without_a_group_do_not_stick_together(corpus, write):
    lines = "".join(f"text {i}\n" for i in range(18))
    parallel = f"{write('a.en', lines)}+{write('a.de', lines)}"
    parts = split(read_pairs(["django", parallel], language="de"), 0, 0.5)
    assert parts.num_rows == {"train": 10, "test": 10}
    counts = [part["group"][:].count("%d file") for part in parts.values()]
    assert sorted(counts) == [0, 2]


def test_what_holds_no_pairs_is_an_error(write):
    with pytest.raises(ValueError, match="source"):
        read_pairs([write("a.txt", "one\n")])
