import numpy as np
import pytest
import tensorflow as tf

from kftune.export.graph_rows import (
    cut_to_longest,
    keep_last,
    keep_tokens,
    sum_log_probs,
    valid_utf8,
    with_first,
)

ROWS = [[1, 2, 3, 4], [], [5], [6, 7]]


@pytest.fixture
def rows():
    return tf.ragged.constant(ROWS, tf.int32)


def test_what_is_no_utf8_is_replaced_as_python_does():
    texts = [b"caf\xc3\xa9", b"\xff\xfe!", b"\xe2\x82", "🎬".encode(), b"a\x00b", b""]
    expected = [text.decode("utf-8", "replace") for text in texts]
    received = [text.decode("utf-8") for text in valid_utf8(texts).numpy()]
    assert received == expected


@pytest.mark.parametrize(
    ("longest", "power"),
    [(1, 1), (2, 2), (3, 4), (8, 8), (9, 16), (16384, 16384), (16385, 20000)],
)
def test_padding_of_all_rows_is_cut(longest, power):
    token_ids = np.arange(40000, dtype="int32").reshape(2, 20000)
    mask = np.arange(20000) < np.array([[longest], [1]])
    for to_power, length in ((False, longest), (True, power)):
        kept, ids = cut_to_longest(mask, token_ids, to_power_of_two=to_power)
        np.testing.assert_array_equal(ids, token_ids[:, :length])
        np.testing.assert_array_equal(kept, mask[:, :length])


def test_an_empty_batch_keeps_a_column():
    (mask,) = cut_to_longest(np.zeros((0, 4), bool))
    assert mask.shape == (0, 1)


def test_only_tokens_of_the_text_are_kept():
    token_ids = tf.constant([[9, 4, 5, 0], [4, 9, 9, 6]])
    mask = tf.constant([[True, True, True, False], [True, True, False, True]])
    kept = keep_tokens(token_ids, mask, dropped=[0, 9])
    assert kept.to_list() == [[4, 5], [4, 6]]


def test_a_first_token_for_some(rows):
    assert with_first(rows, 9).to_list() == [[9, *row] for row in ROWS]
    some = with_first(rows, 9, where=[False, True, False, True])
    assert some.to_list() == [[1, 2, 3, 4], [9], [5], [9, 6, 7]]


def test_the_last_tokens_are_kept(rows):
    assert keep_last(rows, [2, 1, 1, 3]).to_list() == [[3, 4], [], [5], [6, 7]]


def test_log_probs_are_those_of_numpy():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 3, 5)).astype("float32")
    token_ids = np.array([[1, 4, 0], [2, 0, 0]], "int32")
    mask = np.array([[1, 1, 0], [1, 0, 0]], bool)
    probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    chosen = np.log(np.take_along_axis(probs, token_ids[..., None], -1)[..., 0])
    answers = sum_log_probs(logits, token_ids, mask)
    np.testing.assert_allclose(answers["log_prob"], (chosen * mask).sum(1), rtol=1e-5)
    assert answers["num_tokens"].numpy().tolist() == [2, 1]
