import itertools

import numpy as np
import pytest

from kftune.data.buckets import (
    batch_sizes,
    check_boundaries,
    learn_boundaries,
    plan_batches,
)


def tokens(lengths, boundaries):
    """Padded tokens if every row goes to the shortest boundary that holds it."""
    return sum(min(b for b in boundaries if b >= length) for length in lengths)


@pytest.mark.parametrize("max_buckets", [1, 2, 3, 4])
def test_boundaries_waste_as_little_as_the_best_of_all_choices(max_buckets):
    rng = np.random.default_rng(max_buckets)
    lengths = rng.gamma(2, 12, 200).astype(int) + 1
    longest = lengths.max()
    sizes = sorted({min(-(-length // 8) * 8, longest) for length in lengths.tolist()})
    choices = itertools.combinations(sizes[:-1], max_buckets - 1)
    best = min(tokens(lengths, (*choice, sizes[-1])) for choice in choices)
    learned = learn_boundaries(lengths, max_buckets)
    assert len(learned) == max_buckets
    assert tokens(lengths, learned) == best


def test_boundaries_are_ascending_multiples_and_hold_the_longest_row():
    boundaries = learn_boundaries([3, 9, 17, 100, 101], max_buckets=3, multiple=4)
    assert list(boundaries) == sorted(set(boundaries))
    assert all(boundary % 4 == 0 for boundary in boundaries[:-1])
    assert boundaries[-1] == 101


def test_no_more_boundaries_than_lengths_that_occur():
    assert learn_boundaries([5, 6, 7, 30], max_buckets=4) == (8, 30)
    assert learn_boundaries([8, 1, 3], max_buckets=4) == (8,)


@pytest.mark.parametrize("epoch", range(20))
def test_every_row_is_dealt_once_into_a_batch_that_holds_it(epoch):
    rng = np.random.default_rng(epoch)
    lengths = rng.integers(1, 41, 101)
    batches = plan_batches(lengths, (16, 24, 40), (8, 8, 8), rng)
    assert sorted(np.concatenate([rows for _, rows in batches])) == list(range(101))
    assert all(lengths[rows].max() <= length for length, rows in batches)
    shapes = {(length, len(rows)) for length, rows in batches}
    assert shapes == {(16, 8), (24, 8), (40, 8), (40, 5)}


def test_each_length_has_its_own_batch_size():
    lengths = np.array([4] * 9 + [8] * 5)
    batches = plan_batches(lengths, (4, 8), (4, 2), np.random.default_rng(0))
    sizes = sorted((length, len(rows)) for length, rows in batches)
    assert sizes == [(4, 4), (4, 4), (8, 2), (8, 2), (8, 2)]


def test_a_token_budget_gives_batch_sizes():
    assert batch_sizes((16, 32, 64), 8, max_tokens=70) == (4, 2, 1)
    assert batch_sizes((16, 32), 8) == (8, 8)
    with pytest.raises(ValueError, match="max_tokens of 64 or more.*Received: 63"):
        batch_sizes((16, 64), 8, max_tokens=63)


def test_rows_that_fill_no_batch_move_to_the_next_boundary():
    batches = plan_batches(np.array([1, 2, 3, 9, 10, 20]), (8, 16, 24), (2, 2, 2))
    dealt = [(length, rows.tolist()) for length, rows in batches]
    assert dealt == [(8, [0, 1]), (16, [2, 3]), (24, [4, 5])]


@pytest.mark.parametrize("seed", range(30))
def test_first_two_batches_differ_in_length_whatever_the_order(seed):
    lengths = np.array([5] * 97 + [30] * 3)
    batches = plan_batches(lengths, (8, 32), (2, 2), np.random.default_rng(seed))
    assert batches[0][0] != batches[1][0]


def test_one_length_alone_is_left_as_it_is():
    batches = plan_batches(np.full(7, 5), (8,), (3,))
    assert [(length, len(rows)) for length, rows in batches] == [(8, 3), (8, 3), (8, 1)]


def test_remainder_can_be_left_out():
    batches = plan_batches(np.full(7, 5), (8,), (3,), drop_remainder=True)
    assert [len(rows) for _, rows in batches] == [3, 3]


@pytest.mark.parametrize("boundaries", [(), (0, 8), (8, 8), (16, 8), (-8, 8)])
def test_boundaries_must_be_positive_and_ascend(boundaries):
    with pytest.raises(ValueError, match="ascending") as error:
        check_boundaries(boundaries, np.array([1]))
    assert str(boundaries) in str(error.value)


def test_overlong_rows_are_named():
    with pytest.raises(ValueError, match=r"up to 30 in rows 1, 3\. Cut") as error:
        check_boundaries([8, 16], np.array([1, 30, 16, 17]))
    assert "at most 16 tokens" in str(error.value)
