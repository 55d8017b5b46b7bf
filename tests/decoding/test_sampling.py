import keras
import numpy as np
import pytest
import torch
import transformers
from scipy.stats import chisquare

from kftune.decoding import Sampling

pytestmark = pytest.mark.backend

END, LENGTH = 96, 20
STOPS = [END, 57, 7]
RULES = {
    "none": {},
    "repetition": {"repetition_penalty": 1.4},
    "ngrams": {"no_repeat_ngram_size": 2},
    "words": {"bad_words_ids": [[8], [86, 86], [5, 6, 7]]},
    "least length": {"min_length": 15},
    "all": {
        "repetition_penalty": 0.8,
        "no_repeat_ngram_size": 3,
        "bad_words_ids": [[11, 12]],
        "min_length": 9,
    },
}


def prompts(count):
    """Random prompts of mixed lengths, padded on the right."""
    rng = np.random.default_rng(5)
    lengths = rng.integers(1, 12, count)
    mask = np.arange(LENGTH) < lengths[:, None]
    return np.where(mask, rng.integers(1, 90, mask.shape), 0), mask


def greedy_by_transformers(reference, ids, mask, settings):
    """Rows of transformers, filled up with the end."""
    rows = np.full_like(ids, END)
    lengths = mask.sum(axis=1)
    for length in np.unique(lengths):
        places = np.flatnonzero(lengths == length)
        theirs = reference.generate(
            torch.tensor(ids[places, :length]),
            attention_mask=torch.ones((len(places), length), dtype=torch.long),
            do_sample=False,
            max_length=LENGTH,
            eos_token_id=STOPS,
            pad_token_id=END,
            **settings,
        ).numpy()
        rows[places, : theirs.shape[1]] = theirs
    return rows


def generated(task, ids, mask):
    outputs = task.generate({"token_ids": ids, "padding_mask": mask}, None, STOPS)
    return np.where(outputs["padding_mask"], outputs["token_ids"], END)


@pytest.mark.long
@pytest.mark.parametrize("name", RULES)
def test_greedy_tokens_are_those_of_transformers(gpt2, quick, name):
    reference, task = gpt2
    ids, mask = prompts(200)
    expected = greedy_by_transformers(reference, ids, mask, RULES[name])
    sampler = Sampling(temperature=0, **RULES[name])
    task.compile(sampler=sampler, **quick)
    np.testing.assert_array_equal(generated(task, ids, mask), expected)


@pytest.mark.long
def test_an_end_may_be_the_padding(gpt2, quick):
    """As in a vocabulary that begins with its special tokens."""
    reference, task = gpt2
    ids, mask = prompts(8)
    assert (ids[~mask] == 0).all()
    task.compile(sampler=Sampling(temperature=0), **quick)
    outputs = task.generate({"token_ids": ids, "padding_mask": mask}, None, [0])
    for row, length in enumerate(mask.sum(axis=1)):
        (theirs,) = reference.generate(
            torch.tensor(ids[row : row + 1, :length]),
            do_sample=False,
            max_length=LENGTH,
            eos_token_id=0,
            pad_token_id=0,
        ).numpy()
        received = outputs["token_ids"][row][outputs["padding_mask"][row]]
        np.testing.assert_array_equal(received, theirs)
        assert len(theirs) > length + 1


@pytest.mark.long
def test_rules_change_the_tokens(gpt2):
    reference, _ = gpt2
    ids, mask = prompts(40)
    plain, *others = (
        greedy_by_transformers(reference, ids, mask, rules) for rules in RULES.values()
    )
    assert all((plain != other).any() for other in others)


@pytest.mark.long
def test_rows_are_what_they_are_alone(gpt2, quick):
    _, task = gpt2
    ids, mask = prompts(8)
    task.compile(sampler=Sampling(0, **RULES["all"]), **quick)
    together = generated(task, ids, mask)
    alone = [generated(task, ids[i : i + 1], mask[i : i + 1])[0] for i in range(8)]
    np.testing.assert_array_equal(alone, together)


CUTS = {
    "temperature": {"temperature": 0.6},
    "top_k": {"top_k": 5},
    "top_p": {"top_p": 0.7},
    "min_p": {"min_p": 0.2},
    "all": {"temperature": 1.5, "top_k": 12, "top_p": 0.9, "min_p": 0.1},
    "only one": {"top_p": 1e-6},
}
WARPERS = {
    "temperature": transformers.TemperatureLogitsWarper,
    "top_k": transformers.TopKLogitsWarper,
    "top_p": transformers.TopPLogitsWarper,
    "min_p": transformers.MinPLogitsWarper,
}


def warped(logits, settings):
    """Probabilities as transformers cuts them."""
    scores = torch.tensor(logits)[None]
    for name, make in WARPERS.items():
        if name in settings:
            scores = make(settings[name])(None, scores)
    return torch.softmax(scores.double(), dim=-1)[0].numpy()


@pytest.mark.parametrize("name", CUTS)
def test_draws_are_distributed_as_in_transformers(name):
    draws = 20_000
    logits = np.random.default_rng(2).normal(size=23, scale=1.5).astype("float32")
    expected = warped(logits, CUTS[name])
    sampler = Sampling(**CUTS[name], seed=3)
    rows = np.broadcast_to(logits, (draws, len(logits)))
    tokens = sampler.get_next_token(sampler.compute_probabilities(rows))
    counts = np.bincount(keras.ops.convert_to_numpy(tokens), minlength=len(logits))
    possible = expected > 0
    assert counts[~possible].sum() == 0
    if possible.sum() > 1:
        test = chisquare(counts[possible], draws * expected[possible])
        assert test.pvalue > 1e-3


@pytest.mark.long
def test_a_seed_repeats_its_tokens(gpt2, quick):
    _, task = gpt2
    ids, mask = prompts(6)
    texts = []
    for seed in (4, 4, 5):
        task.compile(sampler=Sampling(seed=seed), **quick)
        texts.append(generated(task, ids, mask))
    first, again, other = texts
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_it_is_made_again_from_its_config():
    sampler = Sampling(0.7, min_p=0.1, **RULES["all"], seed=2)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(sampler)
    )
    assert again.get_config() == sampler.get_config()
    assert isinstance(again, Sampling)


def test_all_that_does_not_fit_is_named():
    with pytest.raises(ValueError) as error:
        Sampling(-1, top_k=2.5, top_p=0, min_p=1, repetition_penalty=0, min_length=-2)
    for part in (
        "temperature as a number >= 0, not -1",
        "top_k as an int >= 0, not 2.5",
        "top_p as a number above 0, 1 at most, not 0",
        "min_p as a number from 0 to below 1, not 1",
        "repetition_penalty as a number > 0, not 0",
        "min_length as an int >= 0, not -2",
    ):
        assert part in str(error.value)


@pytest.mark.parametrize(
    "settings", [{"temperature": "warm"}, {"top_k": True}, {"bad_words_ids": [[-1]]}]
)
def test_settings_of_another_type_are_named(settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"expected {name} as"):
        Sampling(**settings)
    assert Sampling(np.float32(0.5), top_k=np.int64(3)).top_k == 3


def test_words_beyond_the_vocabulary_are_refused(gpt2, quick):
    _, task = gpt2
    ids, mask = prompts(2)
    task.compile(sampler=Sampling(0, bad_words_ids=[[97]]), **quick)
    with pytest.raises(ValueError, match=r"Received: \[97\]"):
        generated(task, ids, mask)
