import itertools
from collections import Counter

import pytest
from datasets import Dataset

from kftune.data import few_a_class

LABELS = ["a", "b", "b", "c", "b", "a"] * 10
ROWS = Dataset.from_dict({"id": range(60), "label": LABELS})


def test_so_many_rows_of_each_class_in_their_order():
    few = few_a_class(ROWS, 4)
    assert Counter(few["label"]) == {"a": 4, "b": 4, "c": 4}
    assert few["id"] == sorted(few["id"])
    assert few["label"] == [LABELS[i] for i in few["id"]]


def test_a_class_with_fewer_rows_gives_all():
    few = few_a_class(ROWS, 25)
    assert Counter(few["label"]) == {"a": 20, "b": 25, "c": 10}
    assert few_a_class(ROWS, 1000)["id"] == list(range(60))


def test_smaller_ones_are_part_of_larger_ones_and_seeds_differ():
    sets = [set(few_a_class(ROWS, n, seed=3)["id"]) for n in (1, 2, 5, 9, 30)]
    for smaller, larger in itertools.pairwise(sets):
        assert smaller < larger
    assert sets[2] == set(few_a_class(ROWS, 5, seed=3)["id"])
    assert sets[2] != set(few_a_class(ROWS, 5, seed=4)["id"])


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match="Received: count=0"):
        few_a_class(ROWS, 0)
    with pytest.raises(ValueError, match=r"'kind'. Received: \['id', 'label'\]"):
        few_a_class(ROWS, 1, column="kind")
