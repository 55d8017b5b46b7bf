"""A classifier that may refuse: how often it answers, and is then right."""

import dataclasses

import numpy as np

from kftune.error_text import first_few


@dataclasses.dataclass(frozen=True)
class SelectiveScores:
    """Scores of a classifier that refuses below a threshold. Printed, it is one line.

    Attributes:
        threshold: `float`. Rows of this confidence or more are answered.
        coverage: `float`, 0 to 1, the share of the rows that are answered.
        accuracy: `float`, 0 to 1, the share of these that are right; NaN without any.

    Example:
    ```python
    found = kftune.evaluation.score_answered([0.9, 0.3], [True, False], 0.5)
    print(found)  # threshold 0.500: 50.0% answered, of which 100.0% right
    ```
    """

    threshold: float
    coverage: float
    accuracy: float

    def __str__(self):
        return (
            f"threshold {self.threshold:.3f}: {self.coverage:.1%} answered, of which "
            f"{self.accuracy:.1%} right"
        )


def score_answered(confidences, right, threshold):
    """Scores a classifier that refuses rows below a threshold.

    Args:
        confidences: float array `(N,)`, such as the largest probability of each row.
        right: bool array `(N,)`, True where the classifier is right.
        threshold: `float`.

    Returns:
        `SelectiveScores`.

    Raises:
        ValueError: if there are no rows, or not as many of both; if one is NaN.

    Example:
    ```python
    score_answered([0.9, 0.8, 0.3], [True, False, True], 0.5).accuracy  # 0.5
    ```
    """
    confidences, right = _checked(confidences, right)
    answered = confidences >= threshold
    accuracy = right[answered].mean() if answered.any() else np.nan
    return SelectiveScores(float(threshold), float(answered.mean()), float(accuracy))


def choose_threshold(confidences, right, accuracy=0.9):
    """Finds the threshold that refuses fewest rows for an accuracy of the others.

    Choose it on validation rows. On others the accuracy will be about this one, not at
    least; see Geifman and El-Yaniv 2017, https://arxiv.org/abs/1705.08500, for bounds.

    Args:
        confidences: float array `(N,)`.
        right: bool array `(N,)`, True where the classifier is right.
        accuracy: `float`, 0 to 1, that of the rows that are answered.

    Returns:
        `SelectiveScores`, those of these rows.

    Raises:
        ValueError: if no threshold reaches the accuracy; tells the best one. Also as
            `score_answered`.

    Example:
    ```python
    choose_threshold([0.9, 0.8, 0.7, 0.3], [True, True, False, True], 0.9)
    # threshold 0.800: 50.0% answered, of which 100.0% right
    ```
    """
    thresholds, coverages, accuracies = coverage_curve(confidences, right)
    enough = np.flatnonzero(accuracies >= accuracy)
    if not enough.size:
        best = int(accuracies.argmax())
        raise ValueError(
            f"Expected a threshold above which {accuracy:.1%} are right. Received "
            f"{accuracies[best]:.1%} at best, with {coverages[best]:.1%} answered. Ask "
            "for less."
        )
    place = enough[-1]
    values = thresholds[place], coverages[place], accuracies[place]
    return SelectiveScores(*map(float, values))


def coverage_curve(confidences, right):
    """Gives coverage and accuracy at each threshold that makes a difference.

    Args:
        confidences: float array `(N,)`.
        right: bool array `(N,)`.

    Returns:
        Tuple of three float arrays `(K,)`, K the number of different confidences:
        thresholds, falling; coverages, rising to 1; accuracies.

    Raises:
        ValueError: as `score_answered`.

    Example:
    ```python
    coverage_curve([0.9, 0.6, 0.6], [True, True, False])
    # thresholds [0.9, 0.6], coverages [0.33, 1.0], accuracies [1.0, 0.67]
    ```
    """
    confidences, right = _checked(confidences, right)
    order = np.argsort(-confidences, kind="stable")
    confidences, right = confidences[order], right[order]
    # Rows of one confidence are answered together.
    last = np.append(np.flatnonzero(np.diff(confidences)), len(confidences) - 1)
    counts = last + 1
    return confidences[last], counts / len(right), np.cumsum(right)[last] / counts


def _checked(confidences, right):
    """Both as arrays."""
    confidences, right = np.asarray(confidences, "float64"), np.asarray(right, bool)
    if confidences.shape != right.shape or right.ndim != 1 or not right.size:
        raise ValueError(
            "Expected a confidence and whether it is right for each of one row or "
            f"more. Received: shapes {confidences.shape} and {right.shape}"
        )
    if (wrong := np.flatnonzero(np.isnan(confidences))).size:
        raise ValueError(
            f"Expected confidences. Received NaN at index {first_few(wrong.tolist())}"
        )
    return confidences, right
