import numpy as np
import pytest

from kftune.padding import pad_rows


def test_rows_of_lists_and_arrays_are_padded_on_the_right():
    rows = pad_rows([[5, 6], np.array([7]), []], 3, pad_value=9)
    assert rows.dtype == np.int32
    assert rows.tolist() == [[5, 6, 9], [7, 9, 9], [9, 9, 9]]


def test_a_row_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="broadcast"):
        pad_rows([[1, 2, 3]], 2)
