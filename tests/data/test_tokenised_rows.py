import datasets
import numpy as np
import pytest

from kftune.data.tokenised_rows import TokenisedRows

ROWS = [[5, 6, 7], [8], [9, 10]]


def test_batch_pads_on_the_right_and_masks_the_padding():
    rows = TokenisedRows(ROWS, [0, 1, 2], [0.5, 1.0, 2.0], pad_token_id=99)
    x, y, sample_weight = rows.batch(np.array([2, 0]), length=4)
    np.testing.assert_array_equal(x["token_ids"], [[9, 10, 99, 99], [5, 6, 7, 99]])
    np.testing.assert_array_equal(
        x["padding_mask"], [[True, True, False, False], [True, True, True, False]]
    )
    assert x["token_ids"].dtype == np.int32
    assert x["padding_mask"].dtype == bool
    np.testing.assert_array_equal(y, [2, 0])
    np.testing.assert_array_equal(sample_weight, [2.0, 0.5])


def test_further_columns_are_padded_with_zero():
    columns = {"token_ids": ROWS, "segment_ids": [[1, 1, 1], [1], [1, 2]]}
    (x,) = TokenisedRows(columns, pad_token_id=99).batch(np.array([2]), length=3)
    np.testing.assert_array_equal(x["segment_ids"], [[1, 2, 0]])
    assert set(x) == {"token_ids", "segment_ids", "padding_mask"}


def test_targets_of_several_heads():
    rows = TokenisedRows(ROWS, {"topic": [0, 1, 2], "stars": [[1.0], [2.0], [3.0]]})
    _, y = rows.batch(np.array([1, 2]), length=2)
    np.testing.assert_array_equal(y["topic"], [1, 2])
    np.testing.assert_array_equal(y["stars"], [[2.0], [3.0]])


def test_column_of_a_dataset_is_not_read_into_memory():
    column = datasets.Dataset.from_dict({"token_ids": ROWS})["token_ids"]
    rows = TokenisedRows(column)
    assert rows._columns["token_ids"] is column
    (x,) = rows.batch(np.array([0, 1]), length=3)
    np.testing.assert_array_equal(x["token_ids"], [[5, 6, 7], [8, 0, 0]])


def test_long_columns_of_a_dataset_are_counted_whole():
    lists = [[1] * (1 + i % 7) for i in range(2500)]
    column = datasets.Dataset.from_dict({"token_ids": lists})["token_ids"]
    assert TokenisedRows(column).lengths.tolist() == [len(row) for row in lists]


def test_rows_may_be_arrays():
    (x,) = TokenisedRows([np.array(row) for row in ROWS]).batch(np.array([1]), 2)
    np.testing.assert_array_equal(x["token_ids"], [[8, 0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": {"segment_ids": ROWS}}, "'token_ids'. Received: segment_ids"),
        ({"x": []}, "at least one row"),
        ({"x": [[1], [], [2], []]}, "empty rows: 1, 3"),
        ({"x": ROWS, "y": [0, 1]}, "Expected 3 entries .* Received: 2"),
        ({"x": ROWS, "y": {"a": [0] * 3, "b": [0] * 5}}, "Received: 5"),
        ({"x": ROWS, "y": [0] * 3, "sample_weight": [1.0]}, "Received: 1"),
        ({"x": ROWS, "sample_weight": [1.0] * 3}, "y=None"),
        (
            {"x": {"token_ids": ROWS, "a": ROWS[:2], "b": [[1]] * 3}},
            "'a' with 2 rows; 'b' with other lengths in rows 0, 2",
        ),
    ],
)
def test_what_does_not_match_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        TokenisedRows(**arguments)


def test_the_fingerprint_tells_tokens_and_their_borders_apart():
    known = TokenisedRows(ROWS).fingerprint()
    same = [np.array(row, "int64") for row in ROWS]
    assert TokenisedRows(same, [0, 1, 2], pad_token_id=3).fingerprint() == known
    column = datasets.Dataset.from_dict({"token_ids": ROWS})["token_ids"]
    assert TokenisedRows(column).fingerprint() == known
    others = [
        [[5, 6, 7], [8], [9, 11]],
        [[5, 6], [7, 8], [9, 10]],
        [[5, 6, 7], [9, 10], [8]],
        {"token_ids": ROWS, "segment_ids": ROWS},
        {"token_ids": ROWS, "segments": ROWS},
    ]
    assert len({known, *(TokenisedRows(x).fingerprint() for x in others)}) == 6


def test_a_fingerprint_of_targets_tells_values_and_weights_apart():
    def found(*targets):
        return TokenisedRows(ROWS, *targets).fingerprint(targets=True)

    known = found([0, 1, 2])
    assert found(np.array([0, 1, 2])) == known != TokenisedRows(ROWS).fingerprint()
    assert len({known, found([0, 2, 1]), found([0, 1, 2], [1, 0, 1])}) == 3
    # Objects: what they are counts, not where they lie.
    names = np.array(["".join(["a", "b"]), "c", "d"], object)
    assert found(names) == found(np.array(["ab", "c", "d"], object))
