"""Labels that a simple model, which has not seen them, confidently contradicts."""

import dataclasses

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from kftune.evaluation.baselines import has_word, make_naive_bayes


@dataclasses.dataclass(frozen=True)
class DoubtfulLabels:
    """Rows whose text speaks for another class than their label, the surest first.

    Attributes:
        rows: int array `(D,)`, positions of the rows.
        labels: int array `(D,)`, the labels they have.
        suggested: int array `(D,)`, the classes that their texts speak for.
        share: float, 0 to 1, D over all rows. Not the share of wrong labels, which is
            smaller: the model errs, too.
        unchecked: int array `(U,)`, classes with too few rows to be checked.

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
    unchecked: np.ndarray


def find_doubtful_labels(texts, labels, *, folds=5, seed=0):
    """Finds labels that are worth a second look.

    Naive Bayes over words and pairs of words predicts each row out of the folds that it
    is not in. A row is doubtful if a class other than its own has a probability as high
    as it has on average in rows of that class (confident learning: Northcutt et al.
    2021, https://arxiv.org/abs/1911.00068). They are ordered by how much more probable
    the other class is. Rows without a word are not looked at.

    Args:
        texts: sequence of N `str`.
        labels: int array of shape `(N,)`.
        folds: int from 2; classes with fewer rows than that are not checked.
        seed: int, of the folds.

    Returns:
        `DoubtfulLabels`.

    Example:
    ```python
    doubtful = find_doubtful_labels(train["text"], train["label"])
    [train["text"][row] for row in doubtful.rows[:20]]
    ```
    """
    labels, texts = np.asarray(labels), list(texts)
    checked = np.flatnonzero([has_word(text) for text in texts])
    classes, counts = np.unique(labels[checked], return_counts=True)
    enough = classes[counts >= folds]
    checked = checked[np.isin(labels[checked], enough)]
    rows, suggested = np.zeros((2, 0), int)
    if len(enough) > 1:
        found, suggested = _contradicted(
            [texts[row] for row in checked], labels[checked], folds, seed
        )
        rows = checked[found]
    return DoubtfulLabels(
        rows,
        labels[rows],
        suggested,
        share=len(rows) / max(len(labels), 1),
        unchecked=np.setdiff1d(labels, enough),
    )


def _contradicted(texts, labels, folds, seed):
    """The rows that their words speak against, the surest first, and their classes."""
    classes, numbers = np.unique(labels, return_inverse=True)
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
    return rows, classes[suggested[rows]]
