import csv

import pytest

from kftune.evaluation.evaluate_summaries import evaluate_summaries
from kftune.evaluation.summaries import score_summaries

TEST = {
    "source": ["We use BERT on 3 films.", "Bees fly."],
    "target": [["BERT on films", "3 films"], "Of bees."],
}
SYSTEMS = {"model": ["BERT on 4 films", "On bees"], "lead": ["A", "Bees fly."]}


def test_systems_are_scored_and_kept(tmp_path, capsys):
    path = tmp_path / "summaries.tsv"
    found = evaluate_summaries(SYSTEMS, TEST, path)
    printed = capsys.readouterr().out
    for name, texts in SYSTEMS.items():
        scores = score_summaries(texts, TEST["target"])
        told = {metric: found[name][metric] for metric in scores.corpus}
        assert told == pytest.approx(scores.corpus)
        assert found[name]["intervals"] == scores.intervals
        assert f"{name}: {scores}" in printed
    assert found["model"]["facts"] == {"share": 0.5, "facts": 2}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert list(rows[0]) == ["source", "target", "model", "lead"]
    assert rows[0]["target"] == "BERT on films | 3 films"
    assert [row["lead"] for row in rows] == SYSTEMS["lead"]
