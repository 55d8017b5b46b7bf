import csv

import pytest

from kftune.data import clean, encode_labels, read, read_splits, split


@pytest.fixture
def files(tmp_path):
    """Two files of questions that have some in common."""
    paths = tmp_path / "rows.csv", tmp_path / "test.csv"
    for path, numbers in zip(paths, (range(60), range(50, 70)), strict=True):
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["question", "queue"])
            writer.writerows([f"Question {i}?", "ab"[i % 2]] for i in numbers)
    return paths


def test_a_tenth_each_by_the_seed(files):
    columns = {"text": "question", "label": "queue"}
    splits = read_splits(files[0], seed=3, **columns)
    expected = split(encode_labels(clean(read(files[0], **columns))[0]), seed=3)
    assert {name: len(rows) for name, rows in splits.items()} == {
        "train": 48,
        "validation": 6,
        "test": 6,
    }
    for name, rows in splits.items():
        assert rows["text"] == expected[name]["text"]
        assert rows["label"] == expected[name]["label"]


def test_no_training_text_stands_in_a_test_source(files):
    splits = read_splits(*files, text="question", label="queue")
    texts = {name: set(rows["text"]) for name, rows in splits.items()}
    assert texts["test"] == {f"Question {i}?" for i in range(50, 70)}
    assert texts["train"] | texts["validation"] == {f"Question {i}?" for i in range(50)}
    assert splits["test"].features["label"].names == ["a", "b"]


def test_where_a_text_came_from_is_no_text(files):
    for path in files:
        header, *rows = path.read_text().splitlines()
        lines = [f"{header},source", *(f"{row},email" for row in rows)]
        path.write_text("\n".join(lines))
    columns = {"text": "question", "label": "queue"}
    splits = read_splits(files[0], **columns)
    assert [len(splits[name]) for name in ("train", "validation", "test")] == [48, 6, 6]
    splits = read_splits(*files, **columns)
    assert len(splits["train"]) + len(splits["validation"]) == 50


def test_scores_are_tested_on_a_file_of_their_own(tmp_path):
    for name, begin in (("rows.csv", 0), ("test.csv", 60)):
        rows = [f"Text {i},{i / 2 + 0.25}" for i in range(begin, begin + 60)]
        (tmp_path / name).write_text("\n".join(["text,score", *rows]))
    splits = read_splits(tmp_path / "rows.csv", tmp_path / "test.csv", label="score")
    assert splits["test"]["label"][:2] == [30.25, 30.75]


def test_whole_scores_of_a_test_file_stay_scores(tmp_path):
    rows = [f"Text {i},{i / 2}" for i in range(60)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,score", *rows]))
    test = ["Text a,3", "Text a,5", "Text b,4"]
    (tmp_path / "test.csv").write_text("\n".join(["text,score", *test]))
    splits = read_splits(tmp_path / "rows.csv", tmp_path / "test.csv", label="score")
    assert splits["test"]["label"][:] == [3.0, 4.0]  # of a text with two, the first
