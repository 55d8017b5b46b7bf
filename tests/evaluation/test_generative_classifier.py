import re

import numpy as np
import pytest

from kftune.evaluation import GenerativeClassifier
from tests.evaluation.by_softmax import log_probability

pytestmark = pytest.mark.backend

PROMPTS = ["fresh review:", "rotten review:", "review:"]
TEXTS = [" A treat.", " Dull, and long."]


@pytest.mark.parametrize("shares", [None, [3, 1, 2], [1, 0, 1]])
def test_it_is_the_rule_of_bayes(language_model, shares):
    classifier = GenerativeClassifier(language_model, PROMPTS, shares)
    likelihoods = np.exp(
        [[log_probability(language_model, p, text) for p in PROMPTS] for text in TEXTS]
    )
    odds = likelihoods * (1 if shares is None else np.array(shares))
    expected = odds / odds.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(classifier.predict(TEXTS), expected, rtol=1e-2)


@pytest.mark.parametrize("shares", [[1, 1], [0, 0, 0], [1, -1, 1]])
def test_shares_that_do_not_fit_are_refused(language_model, shares):
    with pytest.raises(ValueError, match=f"3 prompts.*{re.escape(str(shares))}"):
        GenerativeClassifier(language_model, PROMPTS, shares)
