import pytest
from datasets import Dataset

from kftune.training import pair_batches, split_batches, task_batches, text_batches

ROWS = Dataset.from_dict({"body": ["a"], "stars": [1]})
CALLS = {
    split_batches: "text='text', label='label'",
    pair_batches: "source='source', target='target'",
    text_batches: "text='text'",
}


@pytest.mark.parametrize("make", CALLS)
def test_missing_columns_are_named_with_their_options(make):
    received = r"{'train': \['body', 'stars'\], 'test': \['body'\]}"
    with pytest.raises(ValueError, match=f"of {CALLS[make]}. Received: {received}"):
        make(None, {"train": ROWS, "test": {"body": ["b"]}})


def test_columns_that_the_user_names_count():
    with pytest.raises(ValueError, match="text='body', answer='reply'"):
        text_batches(None, {"train": ROWS}, text="body", answer="reply")


@pytest.mark.parametrize("make", CALLS)
@pytest.mark.parametrize(
    ("splits", "received"),
    [(ROWS, "Dataset"), ({"train": ["a b"]}, "dict of {'train': 'list'}")],
)
def test_what_is_not_split_is_refused(make, splits, received):
    with pytest.raises(TypeError, match=f"as a dict of name.*Received: {received}"):
        make(None, splits)


def test_splits_of_each_task_are_checked():
    splits = {"reviews": {"train": ROWS}}
    with pytest.raises(ValueError, match="Received: {'train': .'body', 'stars'.}"):
        task_batches(None, splits)
