"""Labels that a simple model, which has not seen them, confidently contradicts."""

import dataclasses

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from kftune.evaluation.baselines import make_naive_bayes


@dataclasses.dataclass(frozen=True)
class DoubtfulLabels:
    """Rows whose text speaks for another class than their label, the surest first.

    Attributes:
        rows: int array `(D,)`, positions of the rows.
        labels: int array `(D,)`, the labels they have.
        suggested: int array `(D,)`, the classes that their texts speak for.
        share: float, 0 to 1, D over all rows. Not the share of wrong labels, which is
            smaller: the model errs, too.

    Example:
    ```python
    found = kftune.evaluation.find_doubtful_labels(train["text"], train["label"])
    for row, other in zip(found.rows[:20], found.suggested):
        print(train["text"][row], "not", train["label"][row], "but", other)
    ```
    """

    rows: np.ndarray
    labels: np.ndarray
    suggested: np.ndarray
    share: float


def find_doubtful_labels(texts, labels, *, folds=5, seed=0):
    """Finds labels that are worth a second look.

    Naive Bayes over words and pairs of words predicts each row out of the folds that it
    is not in. A row is doubtful if a class other than its own has a probability as high
    as it has on average in rows of that class (confident learning: Northcutt et al.
    2021, https://arxiv.org/abs/1911.00068). They are ordered by how much more probable
    the other class is.

    Args:
        texts: sequence of N `str`.
        labels: int array of shape `(N,)`.
        folds: int from 2.
        seed: int, of the folds.

    Returns:
        `DoubtfulLabels`; without any if a class has fewer rows than there are folds.

    Raises:
        ValueError: if no text has a word.

    Example:
    ```python
    doubtful = find_doubtful_labels(train["text"], train["label"])
    [train["text"][row] for row in doubtful.rows[:20]]
    ```
    """
    labels, texts = np.asarray(labels), list(texts)
    classes, numbers, counts = np.unique(
        labels, return_inverse=True, return_counts=True
    )
    if len(classes) < 2 or counts.min() < folds:
        return DoubtfulLabels(*(np.zeros(0, int) for _ in range(3)), share=0.0)
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed)
    probabilities = cross_val_predict(
        make_naive_bayes(), texts, numbers, cv=splits, method="predict_proba"
    )
    own = probabilities[np.arange(len(numbers)), numbers]
    usual = np.array([own[numbers == number].mean() for number in range(len(classes))])
    likely = np.where(probabilities >= usual, probabilities, -1.0)
    suggested = likely.argmax(axis=1)
    is_doubtful = (likely.max(axis=1) > own) & (suggested != numbers)
    gain = np.where(is_doubtful, likely.max(axis=1) - own, -1.0)
    rows = np.argsort(-gain, kind="stable")[: is_doubtful.sum()]
    return DoubtfulLabels(
        rows, labels[rows], classes[suggested[rows]], len(rows) / len(labels)
    )
