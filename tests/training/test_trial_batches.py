import itertools

import numpy as np
import pytest

from kftune.data import LengthBucketed
from kftune.training.trial_batches import trial_batches

X = np.arange(10).reshape(5, 2)
Y = np.arange(5)


class Task:
    """What stands between `fit` and Keras: strings become lengths, names numbers."""

    def prepare_labels(self, y):
        return [["no", "yes"].index(name) for name in y]

    def preprocess_samples(self, x, y, sample_weight):
        return [len(text) for text in x], y, sample_weight


def taken(batches, number):
    return [*itertools.islice(batches, number)]


def test_arrays_are_cut_in_their_order_and_begin_anew():
    batches = taken(trial_batches(None, (X, Y), batch_size=2), 4)
    for (x, y, weight), rows in zip(
        batches, [[0, 1], [2, 3], [4], [0, 1]], strict=True
    ):
        np.testing.assert_array_equal(x, X[rows])
        np.testing.assert_array_equal(y, Y[rows])
        assert weight is None


def test_dicts_and_weights_are_cut_too():
    data = ({"a": X}, {"b": Y}, {"b": Y / 10})
    _, (x, y, weight) = taken(trial_batches(None, data, batch_size=3), 2)
    np.testing.assert_array_equal(x["a"], X[3:])
    np.testing.assert_array_equal(y["b"], Y[3:])
    np.testing.assert_array_equal(weight["b"], Y[3:] / 10)


def test_a_task_prepares_its_inputs_as_in_fit():
    data = (["a", "bb", "ccc"], ["no", "yes", "no"])
    (batch,) = taken(trial_batches(Task(), data), 1)
    assert batch == ([1, 2, 3], [0, 1, 0], None)


def test_a_dataset_is_gone_through_again_and_stays_where_it_is():
    rows = [[1] * length for length in (2, 3, 5, 7, 9, 4)]
    data, twin = (LengthBucketed(rows, np.arange(6), batch_size=2) for _ in range(2))
    for dataset in (data, twin):
        dataset.on_epoch_end()
    batches = taken(trial_batches(None, data), 4)
    for index, (x, y, _) in enumerate(batches):
        expected = twin[index % 3]
        np.testing.assert_array_equal(x["token_ids"], expected[0]["token_ids"])
        np.testing.assert_array_equal(y, expected[1])
    assert data.state() == twin.state()


def test_the_rest_of_a_restored_epoch_is_gone_through():
    rows = [[1] * 4 for _ in range(6)]
    data = LengthBucketed(rows, np.arange(6), batch_size=2)
    data.mark_trained(1)
    data.restore(data.state())
    state = data.state()
    assert len(taken(trial_batches(None, data), 5)) == 5
    assert data.state() == state


@pytest.mark.parametrize("data", [[X, Y], X])
def test_other_data_is_told(data):
    with pytest.raises(TypeError, match=f"Received: {type(data).__name__}"):
        next(trial_batches(None, data))


def test_lists_in_a_dict_of_labels_are_rows():
    data = ([*"abcde"], {"b": ["fresh", "rotten", "fresh", "rotten", "fresh"]})
    _, (x, y, _) = taken(trial_batches(None, data, batch_size=3), 2)
    assert (x, y) == (["d", "e"], {"b": ["rotten", "fresh"]})
