import numpy as np
import pytest

from kftune.data import TextBuckets

ROWS = [[3, 5, 6, 7, 3], [3, 8, 3], [3, 9, 9, 3]]
WEIGHTS = [[False, False, False, True, True], [False, True, True], [False] * 3 + [True]]


def test_every_token_predicts_the_one_behind_it():
    data = TextBuckets(
        ROWS, batch_size=3, boundaries=[5], shuffle=False, pad_token_id=1
    )
    x, y, weight = data[0]
    rows = [ROWS[i] for i in data.order]
    for i, row in enumerate(rows):
        real = len(row) - 1
        assert x["token_ids"][i].tolist() == row[:-1] + [1] * (5 - real)
        assert y[i][:real].tolist() == row[1:]
        for mask in (x["padding_mask"], weight):
            assert mask[i].tolist() == [True] * real + [False] * (5 - real)
    assert {name: array.dtype for name, array in x.items()} == {
        "token_ids": "int32",
        "padding_mask": "bool",
    }
    assert (y.dtype, weight.dtype) == ("int32", "bool")


def test_weights_stay_with_their_rows_and_lengths_are_those_of_what_is_predicted():
    data = TextBuckets(ROWS * 4, WEIGHTS * 4, batch_size=2, boundaries=[2, 3, 4])
    seen = []
    for x, y, weight in data:
        assert x["token_ids"].shape[1] in (2, 3, 4)
        for i in range(len(y)):
            real = x["padding_mask"][i]
            row = [*x["token_ids"][i][real].tolist(), y[i][real][-1].item()]
            seen.append((row, [False, *weight[i][real].tolist()]))
            assert not weight[i][~real].any()
    assert sorted(seen) == sorted(zip(ROWS * 4, WEIGHTS * 4, strict=True))


def test_wrong_rows_and_weights_are_named():
    with pytest.raises(ValueError, match="at least two tokens.*fewer in rows 1, 2"):
        TextBuckets([[3, 4], [3], []])
    with pytest.raises(ValueError, match="weights for 3 rows. Received: 2"):
        TextBuckets(ROWS, WEIGHTS[:2])
    with pytest.raises(
        ValueError, match="as long as the rows.*other lengths in rows 1"
    ):
        TextBuckets(ROWS, [WEIGHTS[0], WEIGHTS[0], WEIGHTS[2]])
    with pytest.raises(ValueError, match="tokens to learn.*none in 3 rows"):
        TextBuckets(ROWS, [np.eye(1, len(row), dtype=bool)[0] for row in ROWS])


def test_packed_texts_share_a_row_and_are_numbered():
    options = {"pack_to": 6, "batch_size": 2, "shuffle": False, "pad_token_id": 1}
    ((x, y, weight),) = TextBuckets(ROWS, WEIGHTS, **options)
    assert sorted(zip(x["token_ids"].tolist(), y.tolist(), strict=True)) == [
        ([3, 5, 6, 7, 3, 8], [5, 6, 7, 3, 8, 3]),
        ([3, 9, 9, 1, 1, 1], [9, 9, 3, 0, 0, 0]),
    ]
    long = x["token_ids"][:, 1].tolist().index(5)
    assert x["segment_ids"][long].tolist() == [1, 1, 1, 1, 2, 2]
    assert x["segment_ids"][1 - long].tolist() == [1, 1, 1, 0, 0, 0]
    assert weight[long].tolist() == [False, False, True, True, True, True]
    np.testing.assert_array_equal(x["padding_mask"], x["segment_ids"] > 0)
