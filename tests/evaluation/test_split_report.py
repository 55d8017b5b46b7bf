import json

import datasets
import numpy as np
import pytest

from kftune.data import encode_labels
from kftune.evaluation import report_splits

GOOD = ["a fine moving film", "fine acting and moving", "a fine story", "so moving"]
BAD = ["a dull tired film", "dull acting and tired", "a dull story", "so tired"]


def numbered(texts, mark):
    return [f"{text} {mark}{number}" for number, text in enumerate(texts)]


def labelled(good, bad, **columns):
    rows = {"text": good + bad, "label": ["fresh"] * len(good) + ["rotten"] * len(bad)}
    rows = datasets.Dataset.from_dict({**rows, **columns})
    return encode_labels(rows, ["fresh", "rotten"])


def train(repeats=3):
    return labelled(numbered(repeats * GOOD, "x"), numbered(repeats * BAD, "y"))


def test_clean_splits_are_only_counted():
    report = report_splits({"train": train(), "test": labelled(["so"], ["well"])})
    assert report.shared == {}
    assert report.imbalance == 1
    assert str(report).splitlines() == [
        "train: 24 rows; fresh 50.0%",
        "test: 2 rows; fresh 50.0%",
    ]


def test_imbalance_is_told():
    rows = labelled(numbered(5 * GOOD, "x"), numbered(BAD[:2], "y"))
    report = report_splits({"train": rows})
    assert report.imbalance == 10
    assert "fresh 90.9%, rotten 9.1%" in str(report)
    assert "10.0 times the rows" in str(report)
    assert "Labels: too few rows to check those of 'rotten'." in str(report)


def test_a_class_without_rows_is_named():
    report = report_splits({"train": train(), "test": labelled(GOOD[:1], [])})
    assert "no row of test is of rotten" in str(report)


def test_texts_in_two_splits_are_counted_blind_to_case_and_space():
    test = labelled(["A  FINE moving film X0", "new"], [numbered(BAD, "y")[1]])
    report = report_splits(
        {"train": train(), "validation": labelled(["other"], ["texts"]), "test": test}
    )
    assert report.shared == {("train", "test"): 2}
    assert "Leak: 2 rows of test" in str(report)


def test_groups_in_two_splits_are_counted():
    rows = labelled(["one"], ["two"], group=["author", "other"])
    test = labelled(["three"], [], group=["author"])
    assert report_splits({"train": rows, "test": test}).shared == {("train", "test"): 1}


def test_doubtful_labels_are_shown():
    rows = train()
    labels = np.array(rows["label"])
    labels[0] = 1
    rows = rows.remove_columns("label").add_column(
        "label", labels.tolist(), feature=rows.features["label"]
    )
    lines = str(report_splits({"train": rows})).splitlines()
    assert lines[-1] == "  row 0, rotten, or fresh? 'a fine moving film x0'"


def test_the_summary_goes_into_json():
    report = report_splits({"train": train(), "test": train()})
    summary = json.loads(json.dumps(report.summary(), default=int))
    assert summary == {
        "rows": {"train": 24, "test": 24},
        "imbalance": 1.0,
        "shared": {"train, test": 24},
        "doubtful_labels": 0.0,
    }


@pytest.mark.parametrize("splits", [{}, {"test": [1]}, {"train": []}])
def test_splits_without_training_rows_are_refused(splits):
    with pytest.raises(
        ValueError, match="Expected a split 'train' with rows. Received"
    ):
        report_splits(splits)
