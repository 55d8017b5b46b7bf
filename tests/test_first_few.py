import numpy as np

from kftune.first_few import first_few


def test_few_values_are_shown_and_many_are_counted():
    assert first_few(["a", 7]) == "'a', 7"
    assert first_few(range(9), most=3) == "0, 1, 2, … (9 in all)"
    assert first_few(np.array([3, 7]), show=str) == "3, 7"
    assert first_few([]) == "none"
