"""Batches and order of LengthBucketed."""

import itertools

import numpy as np
import pytest

from kftune.data import LengthBucketed


def row_numbers(weights):
    """Which rows have these weights."""
    return ((weights - 1) * 64).astype(int)


def rows_seen(data):
    """The row numbers, batch by batch."""
    return [row_numbers(batch[2]).tolist() for batch in data]


# === Order


def test_every_row_comes_once_an_epoch_in_another_order(make_data):
    data = make_data()
    epochs = []
    for _ in range(3):
        epochs.append(list(itertools.chain(*rows_seen(data))))
        data.on_epoch_end()
    assert all(sorted(epoch) == list(range(61)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_order_repeats_by_seed_and_epoch_alone(make_data):
    first, second = make_data(seed=3), make_data(seed=3)
    second.begin_epoch(4)
    second.begin_epoch(0)
    assert rows_seen(first) == rows_seen(second)
    assert rows_seen(first) != rows_seen(make_data(seed=4))


def test_order_is_the_one_by_which_earlier_trainings_were_seeded():
    rows = [[1] * length for length in [3, 9, 4, 12, 20, 2, 8, 17, 5]]
    data = LengthBucketed(rows, batch_size=2, boundaries=(8, 16, 24), seed=1)
    dealt = [(x["token_ids"].shape[1], len(x["token_ids"])) for (x,) in data]
    # Of the first version of LengthBucketed.
    assert dealt == [(16, 2), (24, 2), (24, 1), (8, 2), (8, 2)]
    assert data.order.tolist() == [1, 6, 7, 3, 4, 2, 5, 8, 0]


def test_without_shuffle_the_order_stays(make_data):
    data = make_data(shuffle=False)
    before = rows_seen(data)
    data.on_epoch_end()
    assert rows_seen(data) == before


def test_number_and_shapes_of_batches_are_those_of_every_epoch(make_data):
    data = make_data()
    shapes = []
    for _ in range(4):
        shapes.append(sorted(batch[0]["token_ids"].shape for batch in data))
        data.on_epoch_end()
    assert len(data) == data.num_batches == 8
    assert shapes[0] == shapes[1] == shapes[2] == shapes[3]
    assert len(set(shapes[0])) <= 3 + 1


@pytest.mark.parametrize("shuffle", [True, False])
def test_first_two_batches_differ_in_length_in_every_epoch(shuffle, make_data):
    data = make_data(shuffle=shuffle)
    for _ in range(30):
        lengths = [data[i][0]["token_ids"].shape[1] for i in (0, 1)]
        assert lengths[0] != lengths[1]
        data.on_epoch_end()


def test_batch_holds_its_rows_padded(make_rows, make_data):
    rows, data = make_rows(), make_data(pad_token_id=19)
    for index, (x, y, weight) in enumerate(data):
        numbers = row_numbers(weight)
        np.testing.assert_array_equal(data.batch_rows(index), numbers)
        np.testing.assert_array_equal(y, numbers % 2)
        for ids, mask, number in zip(
            x["token_ids"], x["padding_mask"], numbers, strict=True
        ):
            np.testing.assert_array_equal(ids[mask], rows[number])
            assert mask.sum() == len(rows[number])
            assert (ids[~mask] == 19).all()


def test_padding_share_is_counted_over_the_batches(make_data):
    data = make_data()
    masks = [x["padding_mask"] for x, _, _ in data]
    real, padded = sum(m.sum() for m in masks), sum(m.size for m in masks)
    assert data.padding_share == pytest.approx(1 - real / padded)
    share = f"{1 - real / padded:.1%} padding"
    assert (
        str(data) == f"61 rows in 8 batches of 8, padded to 8, 16, 24 tokens: {share}"
    )


def test_drop_remainder_leaves_whole_batches(make_data):
    data = make_data(drop_remainder=True)
    assert [len(batch[1]) for batch in data] == [8] * 7


def test_batch_outside_the_epoch_is_an_error(make_data):
    with pytest.raises(IndexError, match="0 to 7. Received: 8"):
        make_data()[8]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size of 1 or more. Received: 0"),
        (
            {"batch_size": 99, "drop_remainder": True},
            "batch of 99 rows. Received 61 rows",
        ),
        ({"boundaries": [8]}, "at most 8 tokens.* Received up to 24"),
    ],
)
def test_settings_without_a_batch_are_errors(settings, message, make_data):
    with pytest.raises(ValueError, match=message):
        make_data(**settings)


# === Something else of the same rows


def test_the_plan_in_order_has_every_row_once(make_data):
    data = make_data(drop_remainder=True)
    plan = data.plan_in_order()
    rows = np.concatenate([rows for _, rows in plan])
    assert sorted(rows) == list(range(61))
    assert all((data._lengths[rows] <= length).all() for length, rows in plan)
    unshuffled = make_data(shuffle=False)
    np.testing.assert_array_equal(rows, unshuffled.order)


def test_other_rows_come_in_the_same_batches(make_data):
    class Numbers:
        targets = "targets"

        def batch(self, rows, length):
            return rows.tolist(), length

    data = make_data()
    data.begin_epoch(2)
    other = data.with_rows(Numbers())
    assert [rows for rows, _ in other] == rows_seen(data)
    lengths = [x["token_ids"].shape[1] for x, *_ in data]
    assert [length for _, length in other] == lengths
    assert other.known_labels == "targets"
    assert other.state() == data.state()
    # They count their epochs for themselves.
    other.on_epoch_end()
    assert (data.epoch, other.epoch) == (2, 3)
    assert isinstance(data[0][0], dict)


# === Outputs in the order of the rows


def test_restore_order_gives_each_row_its_output(make_data):
    data = make_data(shuffle=False)
    outputs = np.concatenate(rows_seen(data))
    assert outputs.tolist() != list(range(61))
    restored = data.restore_order({"a": outputs, "b": outputs[:, None] * 2})
    np.testing.assert_array_equal(restored["a"], np.arange(61))
    np.testing.assert_array_equal(restored["b"], np.arange(61)[:, None] * 2)


def test_restore_order_needs_an_order_and_all_rows(make_data):
    with pytest.raises(ValueError, match="shuffle=True"):
        make_data().restore_order(np.zeros(61))
    with pytest.raises(ValueError, match="drop_remainder=True"):
        make_data(shuffle=False, drop_remainder=True).restore_order(np.zeros(56))
    with pytest.raises(ValueError, match="one output a row, 61. Received: 60"):
        make_data(shuffle=False).restore_order(np.zeros(60))


# === Position


def test_rows_of_a_batch_are_counted_from_where_an_epoch_goes_on(make_data):
    whole, rest = make_data(), make_data()
    rest.restore({**whole.state(), "batch": 3})
    rest.begin_epoch(0)
    np.testing.assert_array_equal(rest.batch_rows(1), whole.batch_rows(4))


def test_a_position_of_other_rows_or_another_seed_is_refused(make_data):
    state = make_data(seed=1).state()
    with pytest.raises(ValueError, match="other data") as error:
        make_data(count=60, seed=2).restore(state)
    assert "rows: expected 61, received 60" in str(error.value)
    assert "seed: expected 1, received 2" in str(error.value)
    assert "batch_size" not in str(error.value)
