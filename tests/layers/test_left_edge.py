import keras
import numpy as np
import pytest

from kftune.layers import LeftEdge

pytestmark = pytest.mark.backend


def roll(token_ids, padding_mask):
    outputs = LeftEdge()(np.array(token_ids), np.array(padding_mask))
    return [keras.ops.convert_to_numpy(output).tolist() for output in outputs]


def test_left_padding_becomes_right_padding():
    token_ids, mask = roll([[0, 0, 7, 8], [5, 6, 0, 0]], [[0, 0, 1, 1], [1, 1, 0, 0]])
    assert token_ids == [[7, 8, 0, 0], [5, 6, 0, 0]]
    assert mask == [[1, 1, 0, 0], [1, 1, 0, 0]]


def test_full_and_empty_rows_stay():
    token_ids, mask = roll([[1, 2, 3], [1, 2, 3]], [[True] * 3, [False] * 3])
    assert token_ids == [[1, 2, 3], [1, 2, 3]]
    assert mask == [[1, 1, 1], [0, 0, 0]]


def test_padding_on_both_sides():
    token_ids, mask = roll([[0, 9, 8, 0]], [[0, 1, 1, 0]])
    assert token_ids == [[9, 8, 0, 0]]
    assert mask == [[1, 1, 0, 0]]


def test_a_graph_of_any_length_compiles():
    inputs = [keras.Input((None,), dtype="int32") for _ in range(2)]
    model = keras.Model(inputs, LeftEdge()(*inputs))
    model.compile(jit_compile=keras.backend.backend() != "torch")
    for length in (3, 5):
        ids = np.arange(2 * length).reshape(2, length)
        mask = np.ones((2, length), "int32")
        mask[0, 0] = 0
        rolled, _ = model.predict([ids, mask], verbose=0)
        np.testing.assert_array_equal(rolled[0], np.roll(ids[0], -1))
        np.testing.assert_array_equal(rolled[1], ids[1])
