"""The position in an epoch, saved and restored."""

import json

import numpy as np
import pytest

from kftune.data.resumable_batches import ResumableBatches


class Numbers(ResumableBatches):
    """Eight batches of one number, in an order that differs by epoch."""

    def __init__(self, seed=0):
        self.seed = seed
        super().__init__()

    def plan_epoch(self, epoch):
        return np.random.default_rng([self.seed, epoch]).permutation(8)

    def build_batch(self, plan):
        return (int(plan),)

    def settings(self):
        return {"numbers": 8, "seed": self.seed}


def test_epochs_are_counted_or_told():
    counted, told = Numbers(), Numbers()
    counted.on_epoch_end()
    told.begin_epoch(1)
    assert counted.epoch == told.epoch == 1
    assert list(counted) == list(told) != list(Numbers())
    assert len(counted) == counted.num_batches == 8


def test_restored_position_gives_the_rest_of_the_epoch():
    data = Numbers()
    data.begin_epoch(2)
    whole = list(data)
    data.mark_trained(3)
    state = json.loads(json.dumps(data.state()))
    assert (state["epoch"], state["batch"]) == (2, 3)
    again = Numbers()
    again.restore(state)
    assert again.state() == state
    again.begin_epoch(2)
    assert again.num_batches == 5
    assert list(again) == whole[3:]
    again.mark_trained(2)
    assert again.state()["batch"] == 5
    again.begin_epoch(3)
    assert again.num_batches == 8


def test_position_at_the_end_of_an_epoch_is_the_start_of_the_next():
    data = Numbers()
    data.mark_trained(8)
    assert (data.state()["epoch"], data.state()["batch"]) == (1, 0)


def test_restore_lists_all_that_differs():
    state = Numbers(seed=1).state()
    state["settings"]["numbers"] = 9
    for check in (Numbers(seed=2).restore, Numbers(seed=2).check_position):
        with pytest.raises(ValueError) as error:
            check(state)
        assert str(error.value).endswith(
            "other data. numbers: expected 9, received 8; seed: expected 1, received 2"
        )


def test_restored_position_must_be_taken_up():
    data = Numbers()
    data.begin_epoch(1)
    data.restore(data.state())
    with pytest.raises(ValueError, match="restored epoch 1.* Received: epoch=0"):
        data.begin_epoch(0)
    data.restore(data.state())
    data.on_epoch_begin()
    data.on_epoch_end()
    with pytest.raises(RuntimeError, match="DataPosition.* epoch 1, batch 0"):
        data.on_epoch_begin()
