import numpy as np
import pytest
import torch
from keras import ops
from transformers.generation import logits_process

from kftune.decoding import token_bans

pytestmark = pytest.mark.backend

BATCH, BEAMS, LENGTH, VOCABULARY = 2, 3, 9, 7
RNG = np.random.default_rng(0)
ROWS = RNG.integers(0, VOCABULARY, (BATCH, BEAMS, LENGTH)).astype("int32")
LOG_PROBS = RNG.normal(-3, 1, (BATCH, BEAMS, VOCABULARY)).astype("float32")
WORDS = [[2], [0, 1], [3, 4], [5, 6, 1], [1, 1, 1, 1]]
WORDS += [[int(i) for i in ROWS[1, 2, 4:7]], [int(i) for i in ROWS[0, 0, 2:4]]]
RULES = {
    "repetition": (
        lambda x, length: token_bans.penalise_repetition(x, ROWS, length, 1.5),
        logits_process.RepetitionPenaltyLogitsProcessor(1.5),
    ),
    "words": (
        lambda x, length: token_bans.ban_words(x, ROWS, length, WORDS),
        logits_process.NoBadWordsLogitsProcessor(WORDS),
    ),
    "tokens": (
        lambda x, length: token_bans.ban_tokens(x, [2, 4]),
        logits_process.SuppressTokensLogitsProcessor([2, 4]),
    ),
    **{
        f"{n}-grams": (
            lambda x, length, n=n: token_bans.ban_repeated_ngrams(x, ROWS, length, n),
            logits_process.NoRepeatNGramLogitsProcessor(n),
        )
        for n in (1, 2, 3, LENGTH, LENGTH + 1)
    },
}


@pytest.mark.parametrize("name", RULES)
def test_rules_are_those_of_transformers(name):
    ours, theirs = RULES[name]
    banned = set()
    for length in range(1, LENGTH + 1):
        rows = torch.tensor(ROWS.reshape(-1, LENGTH)[:, :length]).long()
        scores = torch.tensor(LOG_PROBS.reshape(-1, VOCABULARY).copy())
        expected = theirs(rows, scores).numpy().reshape(LOG_PROBS.shape)
        received = ours(
            ops.convert_to_tensor(LOG_PROBS), ops.convert_to_tensor(length, "int32")
        )
        received = ops.convert_to_numpy(received)
        np.testing.assert_allclose(received, expected, rtol=1e-6)
        banned.add(int((expected != LOG_PROBS).sum()))
    assert (banned == {0}) == (name in ("9-grams", "10-grams"))


def test_forced_tokens_are_certain():
    forced = ops.convert_to_numpy(token_bans.force_tokens(LOG_PROBS, [1, 3]))
    expected = np.full(LOG_PROBS.shape, -np.inf)
    expected[..., [1, 3]] = 0
    np.testing.assert_array_equal(forced, expected)
