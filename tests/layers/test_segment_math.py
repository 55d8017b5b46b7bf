import keras
import numpy as np
import pytest

from kftune.layers.segment_math import segment_mask, segment_positions

pytestmark = pytest.mark.backend


def test_a_text_sees_itself_and_counts_from_0():
    rows = np.array([[1, 1, 2, 2, 2, 0], [1, 2, 3, 3, 0, 0]])
    mask = keras.ops.convert_to_numpy(segment_mask(rows))
    positions = keras.ops.convert_to_numpy(segment_positions(mask))
    assert (mask.dtype, positions.dtype) == (bool, np.int32)
    for row, seen, counted in zip(rows.tolist(), mask, positions, strict=True):
        for place, segment in enumerate(row):
            assert seen[place].tolist() == [other == segment for other in row]
            assert counted[place] == row[:place].count(segment)
