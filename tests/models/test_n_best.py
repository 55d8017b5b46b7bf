import numpy as np
import pytest
import tensorflow as tf

from kftune.decoding import BeamSearch
from kftune.models import GPT2CausalLM, GPT2CausalLMPreprocessor

pytestmark = pytest.mark.backend

PROMPTS = ["The film", "it's a slow start", "good"]


@pytest.fixture
def task(gpt2_backbone, gpt2_tokenizer, randomised, quick):
    preprocessor = GPT2CausalLMPreprocessor(gpt2_tokenizer, 16)
    task = GPT2CausalLM(randomised(gpt2_backbone), preprocessor)
    task.compile(sampler=BeamSearch(num_beams=3), **quick)
    return task


@pytest.mark.long
def test_the_best_texts_come_with_scores(task):
    found = task.generate(PROMPTS, num_return_sequences=2, return_scores=True)
    assert [len(pairs) for pairs in found] == [2, 2, 2]
    assert [pairs[0][0] for pairs in found] == task.generate(PROMPTS)
    ids = task.preprocessor.generate_preprocess(PROMPTS)
    stop = [task.preprocessor.tokenizer.end_token_id]
    task.preprocessor, preprocessor = None, task.preprocessor
    arrays = task.generate(
        ids, stop_token_ids=stop, num_return_sequences=2, return_scores=True
    )
    assert arrays["token_ids"].shape == arrays["padding_mask"].shape == (3, 2, 16)
    for row, pairs in enumerate(found):
        prompt = int(ids["padding_mask"][row].sum())
        for beam, (text, score) in enumerate(pairs):
            assert text.startswith(PROMPTS[row])
            tokens = arrays["token_ids"][row, beam]
            tokens = tokens[arrays["padding_mask"][row, beam]]
            one = {"token_ids": tokens[None], "padding_mask": np.ones((1, len(tokens)))}
            logits = task.predict(one, verbose=0)[0].astype("float64")
            log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            chosen = log_probs[np.arange(len(tokens) - 1), tokens[1:]][prompt - 1 :]
            assert score == pytest.approx(chosen.mean(), abs=1e-4)
            tokens = [int(i) for i in tokens if i not in stop]
            assert text == preprocessor.tokenizer.detokenize(tokens)


@pytest.mark.long
def test_all_kinds_of_inputs(task):
    found = task.generate(PROMPTS, num_return_sequences=3)
    one = task.generate(PROMPTS[1], return_scores=True)
    assert [text for text, _ in one] == [found[1][0][0]]
    batches = tf.data.Dataset.from_tensor_slices(PROMPTS).batch(2)
    again = task.generate(batches, num_return_sequences=3)
    texts = [[text for text, _ in pairs] for pairs in found]
    assert [[text for text, _ in pairs] for pairs in again] == texts
    unbatched = tf.data.Dataset.from_tensor_slices(PROMPTS)
    assert len(task.generate(unbatched, num_return_sequences=3)) == len(PROMPTS)
    stripped = task.generate(PROMPTS, num_return_sequences=3, strip_prompt=True)
    for prompt, pairs, rest in zip(PROMPTS, found, stripped, strict=True):
        assert [prompt + text for text, _ in rest] == [text for text, _ in pairs]


def test_what_cannot_be_given_is_refused(task, quick):
    with pytest.raises(ValueError, match="num_beams=3. Received: 4"):
        task.generate(PROMPTS, num_return_sequences=4)
    with pytest.raises(ValueError, match="Received: 0"):
        task.generate(PROMPTS, num_return_sequences=0)
    task.compile(sampler="greedy", **quick)
    with pytest.raises(TypeError, match="BeamSearch.*Received: GreedySampler"):
        task.generate(PROMPTS, return_scores=True)
    task.preprocessor = None
    task.compile(sampler=BeamSearch(2), **quick)
    with pytest.raises(ValueError, match="without one"):
        task.generate({}, return_scores=True)


def test_searches_that_do_not_fit_the_task_are_refused(task, quick):
    task.compile(sampler=BeamSearch(2, wu_coverage_penalty=0.2), **quick)
    with pytest.raises(TypeError, match="encoder-decoder.*GPT2CausalLM"):
        task.generate(PROMPTS)
    task.compile(sampler=BeamSearch(2, bad_words_ids=[[400], [3, 500]]), **quick)
    with pytest.raises(ValueError, match=r"below 400.*\[400, 500\]"):
        task.generate(PROMPTS)
    theirs = task.to_keras_hub()
    theirs.compile(sampler=BeamSearch(2), **quick)
    with pytest.raises(TypeError, match="task of kftune.models.*GPT2CausalLM"):
        theirs.generate(PROMPTS, max_length=16)
