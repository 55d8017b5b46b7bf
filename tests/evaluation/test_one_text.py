import pytest

from kftune.decoding import translate_texts
from kftune.evaluation import (
    GenerativeClassifier,
    PromptedClassifier,
    copied_share,
    distinct_ngrams,
    score_answers,
    text_perplexity,
)

CALLS = [
    lambda text: text_perplexity(None, text),
    lambda text: score_answers(None, text, [" a"]),
    lambda text: score_answers(None, ["a"], text),
    lambda text: PromptedClassifier(None, "{text}", [" a", " b"]).predict(text),
    lambda text: GenerativeClassifier(None, ["a:", "b:"]).predict(text),
    lambda text: distinct_ngrams(text, 1),
    lambda text: copied_share(text, ["a"]),
    lambda text: copied_share(["a"], text),
    lambda text: translate_texts(None, text),
]


@pytest.mark.parametrize("call", CALLS)
def test_one_text_is_not_taken_for_a_list_of_letters(call):
    with pytest.raises(TypeError, match="Received: one, 'A treat.'; pass it in a list"):
        call("A treat.")
