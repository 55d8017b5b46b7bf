import numpy as np
import pytest

from kftune.data.packing import pack


def test_rows_join_with_the_end_token_between_them():
    rows = [[5, 6, 7], [8], [], [9, 10]]
    stream = [0, 5, 6, 7, 0, 8, 0, 0, 9, 10, 0]
    packed = pack(rows, length=2, end_token_id=0, seed=1)
    offset = next(o for o in range(2) if stream[o] == packed[0, 0])
    expected = stream[offset : offset + packed.size]
    assert packed.dtype == np.int32
    np.testing.assert_array_equal(packed.reshape(-1), expected)
    assert len(stream) - offset - packed.size < 2


def test_offsets_differ_by_seed_and_repeat():
    rows = [np.arange(1, 500)]
    first = {seed: pack(rows, 16, 0, seed)[0, 0] for seed in range(20)}
    again = {seed: pack(rows, 16, 0, seed)[0, 0] for seed in range(20)}
    assert first == again
    assert len(set(first.values())) > 5


def test_too_little_text_gives_no_row():
    assert pack([[1, 2]], length=8, end_token_id=0).shape == (0, 8)


def test_a_row_of_one_token_is_refused():
    with pytest.raises(ValueError, match="2 tokens or more. Received: 1"):
        pack([[1, 2]], length=1, end_token_id=0)
