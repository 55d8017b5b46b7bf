import numpy as np
import pytest

from kftune.evaluation import PromptedClassifier
from tests.evaluation.by_softmax import log_probability

pytestmark = pytest.mark.backend

TEMPLATE = "{text} So"
ANSWERS = [" bad", " very good", " fine"]
TEXTS = ["A treat.", "Dull, and long."]
FREE = ["N/A", ""]


def by_softmax(task, prompts, mean=False):
    """Probabilities of the answers behind each prompt."""
    tokens = [len(task.preprocessor.tokenizer(answer)) for answer in ANSWERS]
    scores = [[log_probability(task, p, answer) for answer in ANSWERS] for p in prompts]
    odds = np.exp(np.divide(scores, tokens if mean else 1))
    return odds / odds.sum(axis=-1, keepdims=True)


def test_a_prompt_has_examples_and_their_answers_before_it(language_model):
    examples = [("Fun.", 1), ("A bore {text}.", 0)]
    classifier = PromptedClassifier(language_model, TEMPLATE, ANSWERS, examples)
    assert classifier.prompt("Well.") == (
        "Fun. So very good\nA bore {text}. So bad\nWell. So"
    )


@pytest.mark.parametrize("examples", [[], [("Fun.", 1)]])
@pytest.mark.parametrize("mean", [False, True])
def test_without_calibration_they_are_the_softmax(language_model, examples, mean):
    classifier = PromptedClassifier(
        language_model, TEMPLATE, ANSWERS, examples, content_free=(), per_token=mean
    )
    before = "Fun. So very good\n" if examples else ""
    expected = by_softmax(language_model, [f"{before}{t} So" for t in TEXTS], mean)
    np.testing.assert_allclose(classifier.predict(TEXTS), expected, rtol=1e-3)


def test_calibration_divides_by_what_texts_without_content_get(language_model):
    classifier = PromptedClassifier(
        language_model, TEMPLATE, ANSWERS, content_free=FREE
    )
    prior = by_softmax(language_model, ["N/A So", " So"]).mean(axis=0)
    odds = by_softmax(language_model, [f"{text} So" for text in TEXTS]) / prior
    expected = odds / odds.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(classifier.predict(TEXTS), expected, rtol=1e-3)


def test_a_text_without_content_says_nothing(language_model):
    classifier = PromptedClassifier(
        language_model, TEMPLATE, ANSWERS, content_free=["N/A"]
    )
    np.testing.assert_allclose(classifier.predict(["N/A"]), [[1 / 3] * 3], rtol=1e-5)


def test_what_does_not_fit_is_named_at_once(language_model):
    message = r"\{text\}, not 'So'; two .* not \[' a', ' a'\]; .* 0 to 1, not 2"
    with pytest.raises(ValueError, match=message):
        PromptedClassifier(language_model, "So", [" a", " a"], [("Fun.", 2)])


@pytest.mark.parametrize("answers", [[" a"], [" a", ""], []])
def test_answers_that_cannot_be_told_apart_are_refused(language_model, answers):
    with pytest.raises(ValueError, match="two answers or more"):
        PromptedClassifier(language_model, TEMPLATE, answers)
