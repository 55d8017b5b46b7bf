import keras
import numpy as np
import pytest

from kftune.data.endless_batches import EndlessBatches
from kftune.data.length_bucketed import LengthBucketed
from kftune.data.pair_buckets import PairBuckets
from kftune.training.data_position import DataPosition


class Cycle(keras.utils.PyDataset):
    """Batches of one row that tell their cycle and index, of two lengths."""

    def __init__(self, cycle):
        super().__init__()
        self.cycle = cycle

    def __len__(self):
        return 3 + self.cycle

    def __getitem__(self, index):
        return (np.full((1, 2 if index < 2 else 5), 10 * self.cycle + index),)


def numbers(data):
    return [int(data[i][0][0, 0]) for i in range(len(data))]


def test_epochs_walk_through_the_cycles():
    data = EndlessBatches(Cycle, epoch_batches=4)
    epochs = []
    for epoch in range(3):
        data.begin_epoch(epoch)
        epochs.append(sorted(numbers(data)))
    assert epochs == [[0, 1, 2, 10], [11, 12, 13, 20], [21, 22, 23, 24]]


def test_any_epoch_can_come_first():
    data = EndlessBatches(Cycle, epoch_batches=4)
    data.begin_epoch(2)
    later = numbers(data)
    data.begin_epoch(0)
    assert sorted(numbers(data)) == [0, 1, 2, 10]
    data.begin_epoch(2)
    assert numbers(data) == later


@pytest.mark.parametrize("epoch", range(5))
def test_the_first_two_batches_differ_in_length(epoch):
    data = EndlessBatches(Cycle, epoch_batches=4)
    data.begin_epoch(epoch)
    assert data[0][0].shape != data[1][0].shape


def test_a_smaller_batch_of_the_same_length_is_no_other_length():
    shapes = [(4, 3), (2, 3), (4, 3), (4, 5)]
    batches = [({"ids": np.zeros(shape)}, np.zeros(shape[0])) for shape in shapes]
    data = EndlessBatches(lambda cycle: batches, epoch_batches=4)
    assert [data[i][0]["ids"].shape[1] for i in range(4)] == [3, 5, 3, 3]


def test_the_end_of_an_epoch_goes_on_to_the_next():
    data = EndlessBatches(Cycle, epoch_batches=4)
    data.begin_epoch(1)
    data.on_epoch_end()
    assert sorted(numbers(data)) == [21, 22, 23, 24]
    data.begin_epoch(0)
    assert sorted(numbers(data)) == [0, 1, 2, 10]


def test_no_cycle_is_made_for_an_epoch_that_nobody_trains():
    made = []
    data = EndlessBatches(lambda cycle: made.append(cycle) or Cycle(cycle), 3)
    data.on_epoch_end()
    assert made == [0]


def test_an_epoch_of_one_length_keeps_its_order():
    data = EndlessBatches(Cycle, epoch_batches=4)
    data.begin_epoch(5)
    assert numbers(data) == [42, 43, 44, 45]


def test_batches_with_two_lengths_begin_with_both_different():
    sources = [[1] * n for n in (2, 2, 2, 8, 8, 8, 8, 8)]
    targets = [[1] * n for n in (3, 3, 9, 9, 9, 9, 3, 3)]
    boundaries = ((2, 2), (2, 8), (8, 2), (8, 8))

    def make_cycle(cycle):
        return PairBuckets(
            sources, targets, batch_size=1, boundaries=boundaries, seed=cycle
        )

    data = EndlessBatches(make_cycle, epoch_batches=8)
    for _ in range(20):
        one, other = (data[i][0] for i in (0, 1))
        for name in ("encoder_token_ids", "decoder_token_ids"):
            assert one[name].shape[1] != other[name].shape[1]
        data.on_epoch_end()


def cycles_of_fit(with_position):
    """Numbers of the cycles that three epochs of two batches asked for."""
    rows = [[1] * n for n in (2, 3, 9, 10, 11, 4)]
    model = keras.Sequential([keras.layers.Embedding(20, 1)])
    seen = set()

    def make_cycle(cycle):
        seen.add(cycle)
        labels = np.zeros((6, 1, 1), "float32")
        return LengthBucketed(rows, labels, batch_size=2, seed=cycle)

    data = EndlessBatches(make_cycle, epoch_batches=2)
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.Input((None,), name="padding_mask")
    model = keras.Model({"token_ids": ids, "padding_mask": mask}, model(ids))
    model.compile("sgd", "mse")
    callbacks = [DataPosition(data)] if with_position else []
    model.fit(data, epochs=3, shuffle=False, callbacks=callbacks, verbose=0)
    return seen


@pytest.mark.backend
def test_fit_follows_the_epochs():
    assert cycles_of_fit(with_position=True) == {0, 1}


@pytest.mark.backend
def test_fit_goes_on_without_the_callback():
    # One epoch further, since Keras ends an epoch before the first.
    assert cycles_of_fit(with_position=False) == {0, 1, 2}


def test_errors():
    with pytest.raises(ValueError, match="2 or more. Received: 1"):
        EndlessBatches(Cycle, epoch_batches=1)
    with pytest.raises(ValueError, match="in cycle 0. Received: none"):
        EndlessBatches(lambda cycle: [], epoch_batches=2)
