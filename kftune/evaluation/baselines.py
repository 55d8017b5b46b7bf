"""What a text classifier must beat: the most frequent class, and naive Bayes."""

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import accuracy_score
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

_WORDS = CountVectorizer().build_analyzer()


def score_baselines(train, test):
    """Trains both baselines and scores them.

    Args:
        train: `datasets.Dataset` or `dict` of columns: `text`, N `str`, and `label`,
            N `int`.
        test: the same with M rows.

    Returns:
        `dict`: `{"majority": {"accuracy": a}, "naive_bayes": {"accuracy": b}}`, both
        0 to 1.

    Example:
    ```python
    train = {"text": ["a fine film", "a dull film"], "label": [1, 0]}
    baselines = score_baselines(train, {"text": ["so fine"], "label": [1]})
    baselines["naive_bayes"]["accuracy"]  # 1.0
    ```
    """
    texts, labels = list(test["text"]), np.asarray(test["label"])
    predictions = {
        "majority": predict_majority(train["label"], len(labels)),
        "naive_bayes": predict_naive_bayes(train["text"], train["label"], texts),
    }
    return {
        name: {"accuracy": float(accuracy_score(labels, predicted))}
        for name, predicted in predictions.items()
    }


def predict_majority(train_labels, count):
    """Predicts the most frequent class, whatever the text.

    Args:
        train_labels: int array of shape `(N,)`.
        count: `int`. How many predictions.

    Returns:
        int array of shape `(count,)`.

    Example:
    ```python
    predict_majority([0, 1, 1], count=2)  # [1, 1]
    ```
    """
    classes, counts = np.unique(np.asarray(train_labels), return_counts=True)
    return np.full(count, classes[counts.argmax()])


def predict_naive_bayes(train_texts, train_labels, texts):
    """Predicts classes by multinomial naive Bayes over words and pairs of words.

    Words are scikit-learn's: lower-cased, of two characters or more; counts are
    smoothed by 1. It takes a second for ten thousand sentences, and a neural model
    that loses to it is not worth its time.

    Args:
        train_texts: sequence of N `str`.
        train_labels: int array of shape `(N,)`.
        texts: sequence of M `str`.

    Returns:
        int array of shape `(M,)`; without a word in the training texts, the most
        frequent class.

    Example:
    ```python
    texts, labels = ["a fine film", "a dull film"], [1, 0]
    predict_naive_bayes(texts, labels, ["fine", "so dull"])  # [1, 0]
    ```
    """
    if not any(map(has_word, train_texts)):
        return predict_majority(train_labels, len(texts))
    model = make_naive_bayes()
    return model.fit(train_texts, np.asarray(train_labels)).predict(texts)


def has_word(text):
    """Tells whether naive Bayes sees anything in a text.

    Args:
        text: `str`.

    Returns:
        `bool`.
    """
    return bool(_WORDS(text))


def make_naive_bayes():
    """Makes the classifier of `predict_naive_bayes`, untrained.

    Returns:
        scikit-learn estimator whose inputs are `str`.
    """
    return make_pipeline(CountVectorizer(ngram_range=(1, 2)), MultinomialNB())
