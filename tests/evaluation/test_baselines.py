from collections import Counter, defaultdict
from itertools import pairwise
from math import log

import datasets
import pytest

from kftune.evaluation.baselines import (
    predict_majority,
    predict_naive_bayes,
    score_baselines,
)

TRAIN_TEXTS = [
    "a fine and moving film",
    "fine acting, a moving story",
    "not fine: a dull film",
    "dull story and dull acting",
    "not moving, not fine",
]
TRAIN_LABELS = [1, 1, 0, 0, 0]
TEST_TEXTS = ["moving acting", "a dull story", "not fine", "unknown words", "fine film"]
TEST_LABELS = [1, 0, 0, 0, 0]


def terms(text):
    words = [word.strip(",:") for word in text.lower().split()]
    words = [word for word in words if len(word) > 1]
    return words + [" ".join(pair) for pair in pairwise(words)]


def naive_bayes_by_hand(text):
    """Multinomial naive Bayes with add-one smoothing, straight from its formula."""
    counts, rows = defaultdict(Counter), Counter(TRAIN_LABELS)
    for training_text, label in zip(TRAIN_TEXTS, TRAIN_LABELS, strict=True):
        counts[label].update(terms(training_text))
    vocabulary = set(counts[0]) | set(counts[1])
    scores = {}
    for label, counter in counts.items():
        scores[label] = log(rows[label] / len(TRAIN_LABELS)) + sum(
            log((counter[term] + 1) / (counter.total() + len(vocabulary)))
            for term in terms(text)
            if term in vocabulary
        )
    return max(scores, key=scores.get)


def test_naive_bayes_follows_its_formula():
    predicted = predict_naive_bayes(TRAIN_TEXTS, TRAIN_LABELS, TEST_TEXTS)
    assert predicted.tolist() == [naive_bayes_by_hand(text) for text in TEST_TEXTS]
    assert predicted.tolist() == [1, 0, 0, 0, 1]


def test_majority_is_the_most_frequent_training_class():
    assert predict_majority([2, 1, 2, 0], count=3).tolist() == [2, 2, 2]


def test_both_are_scored_on_the_test_texts():
    train = datasets.Dataset.from_dict({"text": TRAIN_TEXTS, "label": TRAIN_LABELS})
    test = datasets.Dataset.from_dict({"text": TEST_TEXTS, "label": TEST_LABELS})
    scores = score_baselines(train, test)
    assert scores == {
        "majority": {"accuracy": pytest.approx(4 / 5)},
        "naive_bayes": {"accuracy": pytest.approx(4 / 5)},
    }


def test_without_words_the_most_frequent_class_is_left():
    predicted = predict_naive_bayes(["?", "!", "👍"], [0, 1, 1], ["a word", "?"])
    assert predicted.tolist() == [1, 1]
