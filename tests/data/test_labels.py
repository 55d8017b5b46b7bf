import pytest
from datasets import ClassLabel, Dataset, Features, Value

from kftune.data import class_names, encode_labels


def rows_of(labels, **columns):
    return Dataset.from_dict({"label": labels, **columns})


def encoded(labels, **settings):
    """Class numbers and names."""
    rows = encode_labels(rows_of(labels), **settings)
    return rows["label"][:], rows.features["label"].names


def test_strings_are_sorted_and_numbered():
    assert encoded(["pos", "neg", " pos"]) == ([1, 0, 1], ["neg", "pos"])


@pytest.mark.parametrize("kind", [int, str])
def test_whole_numbers_are_sorted_by_size(kind):
    labels = [kind(i) for i in (10, 9, 1, -1)]
    assert encoded(labels) == ([3, 2, 1, 0], ["-1", "1", "9", "10"])


def test_booleans_are_classes():
    assert encoded([True, False]) == ([1, 0], ["False", "True"])


def test_names_decide_the_order():
    assert encoded(["neg", "pos"], names=["pos", "neg"]) == ([1, 0], ["pos", "neg"])


def test_names_may_be_more_than_the_classes_found():
    labels, names = encoded(["pos", "pos"], names=["neg", "neutral", "pos"])
    assert (labels, names) == ([2, 2], ["neg", "neutral", "pos"])


def test_numbers_are_positions_among_names_that_are_words():
    assert encoded([1, 0, 1], names=["neg", "pos"]) == ([1, 0, 1], ["neg", "pos"])


def test_numbers_are_names_among_names_that_are_numbers():
    names = ["1", "2", "3"]
    assert encoded([3, 1], names=names) == ([2, 0], names)
    with pytest.raises(ValueError, match=r"Received: \['0'\]"):
        encoded([0, 1], names=names)


@pytest.mark.parametrize(
    "labels, names, unknown",
    [
        (["a", "c", "d", "c"], ["a", "b"], r"\['c', 'd'\]"),
        ([0, 5, 2], ["neg", "pos"], r"\['2', '5'\]"),
        ([-1, 0], ["neg", "pos"], r"\['-1'\]"),
    ],
)
def test_all_unknown_labels_are_listed(labels, names, unknown):
    with pytest.raises(ValueError, match=rf"among .*{names[0]}.*Received: {unknown}"):
        encoded(labels, names=names)


@pytest.mark.parametrize("labels", [["pos", "pos"], [1, 1], [True]])
def test_one_class_is_an_error(labels):
    with pytest.raises(ValueError, match="at least two") as error:
        encoded(labels)
    assert repr(str(labels[0])) in str(error.value)


@pytest.mark.parametrize("names", [["a"], ["a", "a"], []])
def test_names_must_be_two_and_differ(names):
    with pytest.raises(ValueError, match="two or more different names") as error:
        encoded(["a", "a"], names=names)
    assert str(names) in str(error.value)


@pytest.mark.parametrize(
    "labels, shown", [(["a", "b", None], "None"), (["a", ""], "''")]
)
def test_missing_labels_are_an_error(labels, shown):
    with pytest.raises(ValueError, match=rf"clean\(dataset\).*\[{shown}\]"):
        encoded(labels)


def test_a_missing_column_is_an_error():
    with pytest.raises(ValueError, match=r"'label'.*\['stars'\]"):
        encode_labels(Dataset.from_dict({"stars": [1]}))


@pytest.mark.parametrize("labels", [[[0, 1], []], [["a"], ["b"]], [0.5, 1.0]])
def test_lists_and_floats_pass_through(labels):
    rows = rows_of(labels)
    assert encode_labels(rows) is rows


@pytest.mark.parametrize(
    "labels, received", [([1.0, 0.0], "float64"), ([["a"], ["b"]], "List")]
)
def test_names_for_lists_or_floats_are_an_error(labels, received):
    with pytest.raises(ValueError, match=rf"\['neg', 'pos'\].*Received: .*{received}"):
        encoded(labels, names=["neg", "pos"])


def test_floats_that_were_cast_as_the_error_says_take_names():
    rows = rows_of([1.0, 0.0]).cast_column("label", Value("int64"))
    assert encode_labels(rows, names=["neg", "pos"])["label"][:] == [1, 0]


@pytest.mark.parametrize("label", [0.5, ["a", "b"]])
def test_scores_and_lists_have_no_class_names(label):
    rows = encode_labels(Dataset.from_dict({"label": [label, label]}))
    with pytest.raises(ValueError, match=r"Expected classes in 'label'.*problem_type"):
        class_names(rows)
    assert class_names(encode_labels(rows_of(["b", "a"]))) == ["a", "b"]


def test_encoded_labels_stay_as_they_are():
    once = encode_labels(rows_of(["b", "a"]))
    again = encode_labels(once)
    assert again["label"][:] == once["label"][:]
    assert again.features == once.features


def test_encoded_labels_are_numbered_anew_for_other_names():
    rows = encode_labels(encode_labels(rows_of(["b", "a"])), names=["b", "c", "a"])
    assert rows["label"][:] == [0, 2]


def test_a_class_nobody_has_keeps_its_number():
    features = Features({"label": ClassLabel(names=["x", "y", "z"])})
    rows = Dataset.from_dict({"label": [0, 2]}, features)
    assert encode_labels(rows)["label"][:] == [0, 2]
    assert encode_labels(rows).features == features


def test_the_unknown_class_is_an_error():
    features = Features({"label": ClassLabel(names=["x", "y"])})
    with pytest.raises(ValueError, match=r"\[-1\]"):
        encode_labels(Dataset.from_dict({"label": [0, 1, -1]}, features))


def test_another_column():
    rows = Dataset.from_dict({"stars": [5, 1], "label": ["x", "x"]})
    rows = encode_labels(rows, column="stars")
    assert rows.to_list() == [{"stars": 1, "label": "x"}, {"stars": 0, "label": "x"}]


def test_objects_are_no_labels():
    rows = Dataset.from_dict({"text": ["a", "b"], "label": [{"x": 1}, {"x": 2}]})
    with pytest.raises(
        ValueError, match=r"in the column 'label'.*objects with \['x'\]"
    ):
        encode_labels(rows)
