import keras
import numpy as np
import pytest

from kftune.models import DenseHead, GPT2TextClassifier, attach_head
from kftune.models.class_labels import class_indices

pytestmark = pytest.mark.backend

NAMES = ["rotten", "fresh", "mixed"]
ROWS = {"token_ids": np.ones((2, 4), int), "padding_mask": np.ones((2, 4), int)}


@pytest.mark.parametrize(
    "labels", [[0, 2], [[0], [2]], [0.0, 2.0], np.array([0, 2], "uint8"), [True, False]]
)
def test_indices_in_range_pass_as_they_are(labels):
    labels = np.asarray(labels)
    assert class_indices(labels, DenseHead(3)) is labels


@pytest.mark.parametrize(
    ("labels", "received"),
    [
        ([0, 3, 1, -1, 3], "3, -1$"),
        ([0.0, 0.5], "0.5$"),
        ([0.0, float("nan")], "nan$"),
        (np.array([1, None], object), "None$"),
    ],
)
def test_what_is_no_class_is_shown(labels, received):
    with pytest.raises(ValueError, match=f"from 0 to 2.*{received}"):
        class_indices(np.asarray(labels), DenseHead(3))


@pytest.mark.parametrize("dtype", ["U", object])
def test_names_become_indices(dtype):
    labels = np.array(["fresh", "rotten", "mixed", "fresh"], dtype)
    indices = class_indices(labels, DenseHead(3, label_names=NAMES))
    assert indices.tolist() == [1, 0, 2, 1]
    assert indices.dtype == "int32"


def test_names_that_the_head_does_not_know_are_shown():
    with pytest.raises(ValueError, match=r"'mixed'\]. Received: 'good'$"):
        class_indices(np.array(["fresh", "good"]), DenseHead(3, label_names=NAMES))
    with pytest.raises(ValueError, match="no label_names. Received: 'fresh'"):
        class_indices(np.array(["fresh"]), DenseHead(3))


def test_other_labels_pass_as_they_are():
    numbers = np.array([4.5, -2.0])
    assert class_indices(numbers, DenseHead(1, problem_type="regression")) is numbers
    one_hot = np.eye(3)
    assert class_indices(one_hot, DenseHead(3)) is one_hot
    assert class_indices(None, DenseHead(3)) is None


def test_a_task_refuses_wrong_labels_wherever_they_come_in(gpt2_backbone):
    task = GPT2TextClassifier(gpt2_backbone, 2)
    with pytest.raises(ValueError, match="Received: 2$"):
        task.fit(ROWS, [0, 2])
    with pytest.raises(ValueError, match="Received: -1$"):
        task.fit(ROWS, [0, 1], validation_data=(ROWS, [0, -1]))
    with pytest.raises(ValueError, match="Received: 'good', 'bad'"):
        task.evaluate(ROWS, ["good", "bad"])


def test_heads_check_their_own_labels(gpt2_backbone):
    stars = DenseHead(1, problem_type="regression")
    task = attach_head(gpt2_backbone, {"topic": DenseHead(2), "stars": stars})
    with pytest.raises(ValueError, match="Received: 7$"):
        task.fit(ROWS, {"topic": [0, 7], "stars": [4.5, 9.0]})


def test_a_task_trains_on_names_as_on_indices(gpt2_backbone, quick):
    task = GPT2TextClassifier(gpt2_backbone, 3, label_names=NAMES, dropout=0)
    task.compile(keras.optimizers.SGD(0.1), **quick)
    by_index = task.evaluate(ROWS, [1, 2], return_dict=True, verbose=0)
    by_name = task.evaluate(ROWS, ["fresh", "mixed"], return_dict=True, verbose=0)
    assert by_name == by_index
