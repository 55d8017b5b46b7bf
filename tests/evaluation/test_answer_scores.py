import numpy as np
import pytest

import kftune
from kftune.evaluation import score_answers, text_perplexity
from tests.evaluation.by_softmax import log_probability

pytestmark = pytest.mark.backend

PROMPTS = ["The film is", "", "A treat, in a word, and one that you will", "So"]
ANSWERS = [" good.", " A bore, and a long one.", " like", " it is"]


def test_they_are_the_sums_of_log_softmax(language_model):
    scores = score_answers(language_model, PROMPTS, ANSWERS)
    pairs = list(zip(PROMPTS, ANSWERS, strict=True))
    expected = [log_probability(language_model, *pair) for pair in pairs]
    np.testing.assert_allclose(scores.log_probabilities, expected, rtol=1e-4)
    tokens = [len(language_model.preprocessor.tokenizer(text)) for text in ANSWERS]
    assert scores.tokens.tolist() == tokens
    np.testing.assert_allclose(scores.per_token, np.divide(expected, tokens), rtol=1e-4)
    np.testing.assert_allclose(
        scores.perplexity, np.exp(-sum(expected) / sum(tokens)), rtol=1e-4
    )


def test_without_prompts_perplexity_is_that_of_the_texts(language_model):
    scores = score_answers(language_model, [""] * 4, ANSWERS)
    expected = text_perplexity(language_model, ANSWERS)
    assert scores.perplexity == pytest.approx(expected.by_token, rel=1e-5)


def test_batches_do_not_matter(language_model):
    one, all_ = (
        score_answers(language_model, PROMPTS, ANSWERS, batch_tokens=tokens)
        for tokens in (1, 999)
    )
    np.testing.assert_allclose(one.log_probabilities, all_.log_probabilities, rtol=1e-5)


def test_a_long_prompt_loses_its_beginning(language_model):
    words = " the" * 40
    with pytest.warns(UserWarning, match="cut to 24 .* 0 answers. These are all"):
        scores = score_answers(language_model, [words], [" end"])
    kept = " the" * (24 - 1 - len(language_model.preprocessor.tokenizer(" end")))
    expected = log_probability(language_model, kept, " end")
    np.testing.assert_allclose(scores.log_probabilities, [expected], rtol=1e-4)


def test_as_many_answers_as_prompts(language_model):
    with pytest.raises(ValueError, match="Received: 2 prompts and 1 answers"):
        score_answers(language_model, ["a", "b"], [" c"])


@pytest.mark.parametrize(
    ("prompts", "answers", "received"),
    [(["a", "b"], [" c", ""], "2 pairs, others at the indices 1"), ([], [], "0 pairs")],
)
def test_answers_without_tokens_are_refused(language_model, prompts, answers, received):
    with pytest.raises(ValueError, match=f"Received {received}"):
        score_answers(language_model, prompts, answers)


def test_nothing_before_an_answer_is_refused(language_model):
    preprocessor = kftune.models.GPT2CausalLMPreprocessor(
        language_model.preprocessor.tokenizer, 24, add_start_token=False
    )
    task = kftune.models.GPT2CausalLM(language_model.backbone, preprocessor)
    with pytest.raises(ValueError, match="start token. Received 2 pairs.* indices 0"):
        score_answers(task, ["", "So"], [" c", " d"])
