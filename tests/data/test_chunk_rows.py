import numpy as np
import pytest

from kftune.data import chunk_rows


@pytest.mark.parametrize("overlap", [0, 1, 3])
@pytest.mark.parametrize("size", [1, 2, 5, 6, 9, 10, 23])
def test_every_token_is_learnt_once_from_the_overlap_and_what_is_before(size, overlap):
    row = np.arange(100, 100 + size)
    weight = np.arange(size) % 5 != 4
    chunks, weights = chunk_rows([row], 5, [weight], overlap=overlap)
    assert max(map(len, chunks)) == min(size, 5)
    learnt = []
    for number, (chunk, kept) in enumerate(zip(chunks, weights, strict=True)):
        assert np.diff(chunk).tolist() == [1] * (len(chunk) - 1)
        learnt += chunk[1:][kept[1:]].tolist()
        if number:
            assert chunk[0] == chunks[number - 1][-1] - overlap
            assert not kept[: overlap + 1].any()
            assert len(chunk) > overlap + 1
    assert learnt == row[1:][weight[1:]].tolist()


def test_short_rows_stay_whole_and_in_order():
    chunks, weights = chunk_rows([[1, 2], [3, 4, 5, 6], [7, 8]], 3)
    assert [chunk.tolist() for chunk in chunks] == [[1, 2], [3, 4, 5], [5, 6], [7, 8]]
    assert [weight.tolist() for weight in weights] == [
        [True, True],
        [True, True, True],
        [False, True],
        [True, True],
    ]


@pytest.mark.parametrize(("length", "overlap"), [(1, 0), (3, 2), (3, -1)])
def test_what_leaves_nothing_to_learn_is_an_error(length, overlap):
    with pytest.raises(ValueError, match=f"length={length}, overlap={overlap}"):
        chunk_rows([[1, 2, 3]], length, overlap=overlap)
