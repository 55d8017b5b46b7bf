"""Scores of a classifier with one label a text."""

import dataclasses

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)


@dataclasses.dataclass(frozen=True)
class ClassificationScores:
    """How well the predicted classes match the true ones.

    Printed, it is a table with one line a class.

    Attributes:
        names: `tuple` of `str`, the classes by number.
        accuracy: `float`, 0 to 1, share of the rows that are right.
        macro_f1: `float`, 0 to 1, mean F1 of the classes that occur among the true or
            the predicted ones.
        precision: float array of shape `(C,)`, 0 to 1; 0 for a class never predicted.
        recall: float array of shape `(C,)`, 0 to 1; 0 for a class without rows.
        f1: float array of shape `(C,)`, 0 to 1.
        support: int array of shape `(C,)`, true rows a class.
        confusion: int array of shape `(C, C)`; row i, column j: rows of class i that
            were predicted as j.

    Example:
    ```python
    scores = kftune.evaluation.score_classes([0, 1, 1], [0, 1, 0], ["bad", "good"])
    dict(zip(scores.names, scores.f1.round(2)))  # {"bad": 0.67, "good": 0.67}
    ```
    """

    names: tuple
    accuracy: float
    macro_f1: float
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    confusion: np.ndarray

    def __str__(self):
        width = max(len(name) for name in ("class", *self.names))
        lines = [f"{'class':{width}}  precision  recall     F1   rows"]
        columns = (self.names, self.precision, self.recall, self.f1, self.support)
        for name, precision, recall, f1, rows in zip(*columns, strict=True):
            lines.append(
                f"{name:{width}}{precision:11.3f}{recall:8.3f}{f1:7.3f}{rows:7d}"
            )
        lines.append(
            f"accuracy {self.accuracy:.3f}, macro F1 {self.macro_f1:.3f}, "
            f"{self.support.sum()} rows"
        )
        return "\n".join(lines)


def score_classes(labels, predictions, names):
    """Scores predicted classes with scikit-learn.

    Args:
        labels: int array of shape `(N,)`, the true classes, 0 to C - 1.
        predictions: int array of shape `(N,)`, the predicted classes. Of logits of
            shape `(N, C)` these are `logits.argmax(axis=-1)`.
        names: sequence of C `str`, the classes by number.

    Returns:
        `ClassificationScores`.

    Raises:
        ValueError: if the arrays are empty, differ in shape, do not hold integers, or
            hold a class without a name.

    Example:
    ```python
    scores = score_classes([0, 0, 1, 1], [0, 0, 1, 0], ["rotten", "fresh"])
    print(scores)
    scores.accuracy, scores.macro_f1  # 0.75, 0.7333
    ```
    """
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    _check(labels, predictions, names)
    classes = range(len(names))
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predictions, labels=classes, zero_division=0
    )
    return ClassificationScores(
        names=tuple(names),
        accuracy=float(accuracy_score(labels, predictions)),
        macro_f1=float(f1_score(labels, predictions, average="macro", zero_division=0)),
        precision=precision,
        recall=recall,
        f1=f1,
        support=support.astype(int),  # floats where no row is right
        confusion=confusion_matrix(labels, predictions, labels=classes),
    )


def _check(labels, predictions, names):
    """Both arrays must be of shape `(N,)` and hold classes that have a name."""
    if labels.shape != predictions.shape or labels.ndim != 1 or not labels.size:
        raise ValueError(
            "Expected as many labels as predictions, one class a row. Received: labels "
            f"of shape {labels.shape}, predictions of shape {predictions.shape}"
        )
    for argument, values in (("labels", labels), ("predictions", predictions)):
        if values.dtype.kind not in "iu":
            raise ValueError(
                f"Expected class numbers in {argument}. Received: {values.dtype}"
            )
        if values.min() < 0 or values.max() >= len(names):
            raise ValueError(
                f"Expected {argument} from 0 to {len(names) - 1}, one for each of the "
                f"{len(names)} names. Received: {values.min()} to {values.max()}"
            )
