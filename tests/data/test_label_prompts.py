import pytest
from datasets import Dataset

from kftune.data import encode_labels, label_prompts, prompted_by_label, split


@pytest.fixture
def rows():
    columns = {"text": ["A treat.", "A bore.", "Fun."], "label": ["b", "a", "b"]}
    return encode_labels(Dataset.from_dict(columns))


def test_a_prompt_for_each_class():
    names = ["fresh", "{label}"]
    assert label_prompts(names, "A {label} one: {") == [
        "A fresh one: {",
        "A {label} one: {",
    ]


def test_rows_get_the_prompt_of_their_class_and_their_text(rows):
    prompted = prompted_by_label(rows, "{label}:")
    assert list(prompted["prompt"]) == ["b:", "a:", "b:"]
    assert list(prompted["answer"]) == [" A treat.", " A bore.", " Fun."]
    assert prompted.remove_columns(["prompt", "answer"]).to_dict() == rows.to_dict()


def test_rows_with_one_prompt_are_split_as_others_are(rows):
    rows = rows.select(list(range(3)) * 10)
    rows = rows.remove_columns("text").add_column("text", [f"n{i}" for i in range(30)])
    options = {"validation": 0.2, "test": 0.2, "seed": 1}
    expected = split(rows, **options)
    for name, part in split(prompted_by_label(rows, "{label}:"), **options).items():
        assert list(part["text"]) == list(expected[name]["text"])


def test_a_template_without_its_place_is_refused(rows):
    with pytest.raises(ValueError, match=r"with \{label\}.*Received: 'review:'"):
        prompted_by_label(rows, "review:")


def test_columns_of_that_name_give_way():
    rows = Dataset.from_dict(
        {"text": ["A treat.", "Fun."], "label": ["b", "a"], "answer": ["x", "y"]}
    )
    rows = prompted_by_label(encode_labels(rows), "{label}:")
    assert rows["answer"][:] == [" A treat.", " Fun."]
