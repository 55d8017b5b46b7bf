import pytest
from datasets import Dataset

from kftune.data import drop_overlap


def test_texts_of_the_test_set_are_dropped_whatever_their_case():
    rows = Dataset.from_dict(
        {"text": ["Fine film.", "Dull.", "fine\n FILM.", "So so."]}
    )
    test = Dataset.from_dict({"text": ["FINE film.", "Never seen."]})
    assert drop_overlap(rows, test)["text"] == ["Dull.", "So so."]


def test_groups_of_the_test_set_are_dropped_and_no_group_is_none():
    groups = ["Up", None, "Jaws", ""]
    rows = Dataset.from_dict({"text": list("abcd"), "group": groups})
    test = Dataset.from_dict({"text": ["x", "y"], "group": ["Up", ""]})
    assert drop_overlap(rows, test)["text"] == ["b", "c", "d"]
    assert drop_overlap(rows, test, group_by=None)["text"] == list("abcd")


def test_a_parallel_row_goes_if_one_side_is_tested():
    pairs = {"source": ["a", "b", "c"], "target": ["x", "y", "z"]}
    test = Dataset.from_dict({"source": ["A", "n"], "target": ["n", "Z"]})
    assert drop_overlap(Dataset.from_dict(pairs), test)["source"] == ["b"]


def test_a_missing_text_column_is_named():
    rows = Dataset.from_dict({"text": ["a"]})
    with pytest.raises(ValueError, match="Received: .*'body'"):
        drop_overlap(rows, Dataset.from_dict({"body": ["a"]}))
