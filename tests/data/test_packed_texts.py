import numpy as np
import pytest

from kftune.data.packed_texts import packed_texts


def test_every_text_stands_in_one_row_and_no_row_is_too_long():
    lengths = np.random.default_rng(0).integers(1, 21, 300).tolist()
    rows = packed_texts(lengths, room=20)
    assert sorted(text for row in rows for text in row) == list(range(300))
    assert max(sum(lengths[text] for text in row) for row in rows) == 20
    # Best-fit decreasing needs at most 11/9 of the fewest rows, and 4 more.
    fewest = -(-sum(lengths) // 20)
    assert fewest <= len(rows) <= 11 / 9 * fewest + 4


def test_a_text_goes_into_the_fullest_row_with_room():
    assert packed_texts([3, 6, 2, 4], room=8) == [[1, 2], [3, 0]]
    assert packed_texts([], room=8) == []


def test_a_text_that_fits_nowhere_is_an_error():
    with pytest.raises(
        ValueError, match="at most 5 tokens to pack. Received: 6 tokens"
    ):
        packed_texts([3, 6], room=5)
