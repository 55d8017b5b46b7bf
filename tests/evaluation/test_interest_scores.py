import csv

import pytest

from kftune.evaluation.interest_scores import score_interests
from kftune.evaluation.summaries import score_summaries

READERS = {
    "source": ["bees and films"] * 2,
    "target": ["On bees.", "Films of old."],
    "interests": [["bees"], ["films", "old"]],
}
PLAIN = ["Of things.", "Of things."]
PERSONAL = ["On Bees!", "Films, new."]


def test_each_reader_is_compared_with_the_readers_own_summary(tmp_path):
    path = tmp_path / "interests.tsv"
    scores = score_interests(PLAIN, PERSONAL, READERS, path)
    rows = {
        name: score_summaries(texts, READERS["target"]).rows["rougeL"]
        for name, texts in (("plain", PLAIN), ("personal", PERSONAL))
    }
    assert scores["readers"] == 2
    assert scores["plain"] == {"rougeL": rows["plain"].mean(), "words": 0}
    personal = {"rougeL": rows["personal"].mean(), "words": pytest.approx(2 / 3)}
    assert scores["personal"] == personal
    gains = rows["personal"] - rows["plain"]
    assert scores["difference"] == pytest.approx(gains.mean())
    # Both read the same text: as one, they leave nothing to chance.
    assert scores["interval"] == pytest.approx((gains.mean(), gains.mean()))
    with path.open(newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    assert table[1] == {
        "source": "bees and films",
        "target": "Films of old.",
        "interests": "films, old",
        "plain": "Of things.",
        "personal": "Films, new.",
    }


def test_each_reader_has_two_summaries(tmp_path):
    message = "1 plain ones, 2 personal ones, 2 readers"
    with pytest.raises(ValueError, match=message):
        score_interests(PLAIN[:1], PERSONAL, READERS, tmp_path / "a.tsv")
