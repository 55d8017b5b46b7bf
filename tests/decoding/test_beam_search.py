import keras
import numpy as np
import pytest
import torch
from marian_pair import MAX_LENGTH, padded

from kftune.decoding import BeamSearch

pytestmark = pytest.mark.backend

SETTINGS = {
    "plain": {"num_beams": 4},
    "greedy": {"num_beams": 1, "no_repeat_ngram_size": 1},
    "penalised": {"num_beams": 1, "repetition_penalty": 1.4, "min_length": 5},
    "first_finished": {"num_beams": 3, "early_stopping": True, "length_penalty": 0.6},
    "never": {"num_beams": 5, "early_stopping": "never", "length_penalty": 2.0},
    "short": {"num_beams": 2, "length_penalty": -1.0, "min_length": 5},
    "ngrams": {"num_beams": 4, "no_repeat_ngram_size": 2, "repetition_penalty": 1.3},
    "words": {
        "num_beams": 3,
        "bad_words_ids": [[0], [5], [17], [40, 41], [8, 9, 10], [60, 61], [60, 62]],
        "forced_bos_token_id": 60,
        "forced_eos_token_id": 0,
        "renormalize_logits": True,
        "length_penalty": 0.0,
    },
}


@pytest.mark.long
@pytest.mark.parametrize("name", SETTINGS)
def test_tokens_and_scores_are_those_of_transformers(marian, name, quick):
    settings = SETTINGS[name]
    others = {k: v for k, v in settings.items() if k != "num_beams"}
    sampler, ended = BeamSearch(**settings), []
    for bias, seed in ((6.0, 1), (-30.0, 2)):
        marian.bias_end(bias)
        inputs = marian.inputs(150, seed=seed)
        expected, scores = marian.theirs(inputs, settings["num_beams"], **others)
        received, own_scores = marian.ours(inputs, sampler, **quick)
        sampler, quick = None, {}
        np.testing.assert_array_equal(received, expected)
        if scores is not None:  # transformers gives none of greedy search
            np.testing.assert_allclose(own_scores, scores, rtol=1e-4)
        ended.append((expected[:, :, :-1] == 0).any())
    assert ended == [True, False]


@pytest.mark.long
def test_xla_finds_the_same(marian):
    marian.bias_end(3.0)
    inputs = marian.inputs(20, prompt_lengths=np.arange(20) % 3 + 1)
    options = {"num_beams": 3, "no_repeat_ngram_size": 2, "bad_words_ids": [[5, 6]]}
    results = [
        marian.ours(inputs, BeamSearch(**options), jit_compile=jit)
        for jit in (True, False)
    ]
    np.testing.assert_array_equal(results[0][0], results[1][0])


@pytest.mark.long
def test_rows_are_what_they_would_be_alone(marian, quick):
    marian.bias_end(3.0)
    prompt_lengths = np.arange(32) % 5 + 1
    prompt_lengths[3] = MAX_LENGTH  # nothing is left to be found
    inputs = marian.inputs(32, prompt_lengths)
    sampler = BeamSearch(num_beams=4, no_repeat_ngram_size=3)
    tokens, scores = marian.ours(inputs, sampler, **quick)
    for row in (0, 1, 3, 7, 22, 31):
        alone = {name: x[row : row + 1] for name, x in inputs.items()}
        received, own_scores = marian.ours(alone, None)
        np.testing.assert_array_equal(received[0, 0], tokens[row, 0])
        np.testing.assert_allclose(own_scores[0, 0], scores[row, 0], atol=1e-5)
        if row != 3:
            np.testing.assert_array_equal(received[0], tokens[row])
    np.testing.assert_array_equal(tokens[3, 0], inputs["decoder_token_ids"][3])
    assert scores[3, 0] == 0


@pytest.mark.long
def test_beginnings_of_targets_are_kept_and_free(marian, quick):
    marian.bias_end(3.0)
    prompt_lengths = np.array([1, 2, 4, 7, 15] * 2)
    inputs = marian.inputs(10, prompt_lengths, seed=3)
    tokens, scores = marian.ours(
        inputs, BeamSearch(num_beams=3, length_penalty=0.7, min_length=6), **quick
    )
    for row, length in enumerate(prompt_lengths):
        alone = {name: x[row : row + 1] for name, x in inputs.items()}
        beginning = torch.tensor(alone["decoder_token_ids"][:, :length])
        expected, their_scores = marian.theirs(
            alone, 3, length_penalty=0.7, min_length=6, decoder_input_ids=beginning
        )
        np.testing.assert_array_equal(tokens[row], expected[0])
        np.testing.assert_allclose(scores[row], their_scores[0], rtol=1e-4)


def test_rows_may_end_at_lengths_of_their_own(marian, quick):
    marian.bias_end(-30.0)
    settings = {"forced_eos_token_id": 0, "early_stopping": "never"}
    inputs = {**marian.inputs(4, seed=4), "row_lengths": np.array([3, 16, 7, 11])}
    marian.task.compile(sampler=BeamSearch(num_beams=3, **settings), **quick)
    outputs = marian.task.generate_rows(inputs, stop_token_ids=[0])
    tokens = keras.ops.convert_to_numpy(outputs["decoder_token_ids"])
    scores = keras.ops.convert_to_numpy(outputs["scores"])
    for row, length in enumerate(inputs.pop("row_lengths")):
        alone = {name: x[row : row + 1] for name, x in inputs.items()}
        expected, their_scores = marian.theirs(alone, 3, max_length=length, **settings)
        np.testing.assert_array_equal(tokens[row], expected[0])
        np.testing.assert_allclose(scores[row], their_scores[0], rtol=1e-4)


GPT2_SETTINGS = {
    "never": {"num_beams": 3, "early_stopping": "never"},
    "penalty": {"num_beams": 4, "repetition_penalty": 1.3},
    "ngrams": {"num_beams": 2, "no_repeat_ngram_size": 2},
    "greedy": {"num_beams": 1, "repetition_penalty": 1.3},
}


@pytest.mark.long
@pytest.mark.parametrize("name", GPT2_SETTINGS)
def test_gpt2_goes_on_with_200_prompts_as_transformers_does(gpt2, quick, name):
    reference, task = gpt2
    settings, ends = GPT2_SETTINGS[name], [96, 7, 11]
    beams = settings["num_beams"]
    rng = np.random.default_rng(2)
    lengths = rng.integers(1, 12, 200)
    mask = np.arange(20) < lengths[:, None]
    ids = np.where(mask, rng.integers(1, 90, mask.shape), 96)
    task.compile(sampler=BeamSearch(**settings), **quick)
    outputs = task.generate(
        {"token_ids": ids, "padding_mask": mask},
        stop_token_ids=ends,
        num_return_sequences=beams,
        return_scores=True,
    )
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        prompts = torch.tensor(ids[rows, :length])
        theirs = reference.generate(
            prompts,
            attention_mask=torch.ones_like(prompts),
            num_return_sequences=beams,
            do_sample=False,
            max_length=20,
            eos_token_id=ends,
            pad_token_id=96,
            return_dict_in_generate=True,
            output_scores=True,
            **settings,
        )
        expected, scores = padded(theirs, beams, 20, 96)
        np.testing.assert_array_equal(outputs["token_ids"][rows], expected)
        if scores is not None:  # transformers gives none of greedy search
            np.testing.assert_allclose(outputs["scores"][rows], scores, rtol=1e-4)


def test_masks_end_with_the_end(marian, quick):
    marian.bias_end(4.0)
    inputs = marian.inputs(30, np.arange(30) % 6 + 1)
    marian.task.compile(sampler=BeamSearch(num_beams=2), **quick)
    outputs = marian.task.generate(inputs, stop_token_ids=[0])
    tokens, mask = (
        keras.ops.convert_to_numpy(outputs[f"decoder_{name}"])
        for name in ("token_ids", "padding_mask")
    )
    is_end = tokens == 0
    ends = np.where(is_end.any(1), is_end.argmax(1), MAX_LENGTH - 1)
    np.testing.assert_array_equal(mask, np.arange(MAX_LENGTH) <= ends[:, None])
    assert len(set(ends)) > 2


def test_wu_penalties_are_those_of_the_formula(marian, quick):
    marian.bias_end(3.0)
    marian.reference.set_attn_implementation("eager")  # the other gives no weights
    inputs = marian.inputs(6)
    alpha, beta = 0.8, 0.4
    search = BeamSearch(3, wu_length_penalty=alpha, wu_coverage_penalty=beta)
    tokens, scores = marian.ours(inputs, search, **quick)
    uncovered = []
    for row in range(6):
        real = inputs["encoder_padding_mask"][row]
        for beam in range(3):
            ids = tokens[row, beam]
            length = np.flatnonzero(ids == 0)[0] + 1 if 0 in ids else MAX_LENGTH
            with torch.no_grad():
                outputs = marian.reference(
                    input_ids=torch.tensor(inputs["encoder_token_ids"][row : row + 1]),
                    attention_mask=torch.tensor(real[None]).long(),
                    decoder_input_ids=torch.tensor(ids[None, : length - 1]).long(),
                    output_attentions=True,
                )
            log_probs = outputs.logits[0].log_softmax(-1).numpy()
            total = log_probs[np.arange(length - 1), ids[1:length]].sum()
            covered = outputs.cross_attentions[-1][0].mean(0).sum(0).numpy()[real]
            expected = total / ((5 + length - 1) / 6) ** alpha
            uncovered.append(beta * np.log(np.minimum(covered, 1)).sum())
            expected += uncovered[-1]
            np.testing.assert_allclose(scores[row, beam], expected, rtol=2e-4)
    assert (np.diff(scores, axis=1) <= 0).all()
    assert min(uncovered) < -0.5
