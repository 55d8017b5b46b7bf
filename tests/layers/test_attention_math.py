import keras
import numpy as np
import pytest
from keras import ops

from kftune.layers import attention_math

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(0)


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def test_masks_by_hand():
    np.testing.assert_array_equal(
        numpy(attention_math.causal_mask(2, 4, start=1)),
        [[[1, 1, 0, 0], [1, 1, 1, 0]]],
    )
    np.testing.assert_array_equal(
        numpy(attention_math.sliding_window_mask(3, 4, 2)),
        [[[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1]]],
    )
    np.testing.assert_array_equal(
        numpy(attention_math.sliding_window_mask(1, 4, 1, start=2)), [[[0, 0, 1, 0]]]
    )


def test_masks_are_combined_by_and():
    assert attention_math.combine_masks(None, None) is None
    combined = attention_math.combine_masks(
        None, np.array([[1.0], [0.0]]), np.array([True, False])
    )
    np.testing.assert_array_equal(numpy(combined), [[True, False], [False, False]])


@pytest.mark.parametrize(
    ("shape", "attention_rank", "expanded"),
    [
        ((2, 6, 5), 1, (2, 1, 6, 5)),
        ((6, 5), 1, (1, 1, 6, 5)),
        ((2, 3, 4, 5), 1, (2, 3, 4, 5)),
        ((2, 6, 7, 4, 5), 2, (2, 1, 6, 7, 4, 5)),
    ],
)
def test_masks_get_the_axis_of_the_heads(shape, attention_rank, expanded):
    scores_rank = len(expanded)
    mask = attention_math.expand_mask(np.ones(shape), scores_rank, attention_rank)
    assert tuple(mask.shape) == expanded


@pytest.mark.parametrize("attention_rank", [1, 2])
def test_softmax_ignores_what_is_masked(attention_rank):
    scores = RNG.normal(size=(2, 3, 2, 2, 4)).astype("float32")
    mask = RNG.random((2, 1, 2, 2, 4)) > 0.4
    mask[0, 0, 1] = False
    weights = attention_math.masked_softmax(scores, mask, attention_rank)
    axes = (-1,) if attention_rank == 1 else (-2, -1)
    exponents = np.exp(scores.astype("float64")) * mask
    total = exponents.sum(axis=axes, keepdims=True)
    expected = exponents / np.where(total == 0, 1, total)
    np.testing.assert_allclose(numpy(weights), expected, atol=1e-6)
    np.testing.assert_array_equal(numpy(weights)[0, :, 1], 0)


def test_softmax_of_half_precision_is_computed_in_float32():
    scores = np.zeros((1, 1, 1, 5000), "float16")
    scores[..., 0] = 2.0
    weights = attention_math.masked_softmax(ops.convert_to_tensor(scores))
    assert keras.backend.standardize_dtype(weights.dtype) == "float16"
    expected = np.exp(2.0) / (np.exp(2.0) + 4999)
    np.testing.assert_allclose(numpy(weights)[0, 0, 0, 0], expected, rtol=1e-3)


def test_equations_of_keras_docs():
    assert attention_math.attention_equations(4, (1,)) == (
        "abcd,aecd->acbe",
        "acbe,aecd->abcd",
    )
    assert attention_math.attention_equations(5, (1, 2)) == (
        "abcde,afgde->adbcfg",
        "adbcfg,afgde->abcde",
    )


@pytest.mark.parametrize("length", [1, 3])
def test_a_few_tokens_equal_the_fused_path(length):
    query = RNG.normal(size=(2, length, 4, 3)).astype("float32")
    key = RNG.normal(size=(2, 5, 2, 3)).astype("float32")
    value = RNG.normal(size=(2, 5, 2, 3)).astype("float32")
    mask = RNG.integers(0, 2, (2, 1, length, 5)).astype(bool)
    mask[1] = False
    fused = attention_math.fused_attention(
        query, *(attention_math.repeat_heads(x, 4) for x in (key, value)), mask
    )
    few = attention_math.few_token_attention(
        query, key.transpose(0, 2, 1, 3), value.transpose(0, 2, 1, 3), mask
    )
    np.testing.assert_allclose(numpy(few), numpy(fused), atol=1e-6)
    np.testing.assert_array_equal(numpy(few)[1], 0)
