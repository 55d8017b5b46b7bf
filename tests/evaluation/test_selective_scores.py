import math

import numpy as np
import pytest

from kftune.evaluation import choose_threshold, coverage_curve, score_answered

CONFIDENCES = [0.5, 0.9, 0.8, 0.8, 0.3, 0.7]
RIGHT = [True, True, True, False, False, True]


def test_rows_of_one_confidence_are_answered_together():
    thresholds, coverages, accuracies = coverage_curve(CONFIDENCES, RIGHT)
    assert thresholds.tolist() == [0.9, 0.8, 0.7, 0.5, 0.3]
    np.testing.assert_allclose(coverages, np.array([1, 3, 4, 5, 6]) / 6)
    np.testing.assert_allclose(accuracies, [1, 2 / 3, 3 / 4, 4 / 5, 4 / 6])


def test_the_threshold_refuses_as_few_as_it_can():
    # By trying all of them.
    rng = np.random.default_rng(0)
    confidences = rng.integers(1, 30, 200) / 30
    right = rng.random(200) < confidences
    chosen = choose_threshold(confidences, right, 0.8)
    tried = [score_answered(confidences, right, t) for t in sorted(set(confidences))]
    good = [scores for scores in tried if scores.accuracy >= 0.8]
    assert chosen == max(good, key=lambda scores: scores.coverage)
    assert 0 < chosen.coverage < 1
    assert choose_threshold(CONFIDENCES, RIGHT, 0.78).threshold == 0.5


def test_scores_at_a_threshold():
    scores = score_answered(CONFIDENCES, RIGHT, 0.75)
    assert (scores.coverage, scores.accuracy) == (3 / 6, 2 / 3)
    assert str(scores) == "threshold 0.750: 50.0% answered, of which 66.7% right"
    nothing = score_answered(CONFIDENCES, RIGHT, 0.95)
    assert nothing.coverage == 0 and math.isnan(nothing.accuracy)


def test_an_accuracy_out_of_reach_is_told():
    message = "which 90.0% are right. Received 66.7% at best, with 100.0% answered"
    with pytest.raises(ValueError, match=message):
        choose_threshold([0.9, 0.8, 0.7], [False, True, True], 0.9)


def test_what_does_not_match_is_refused():
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(1,\)"):
        coverage_curve([0.1, 0.2], [True])
    with pytest.raises(ValueError, match=r"shapes \(0,\) and \(0,\)"):
        choose_threshold([], [])
    with pytest.raises(ValueError, match="NaN at index 1"):
        score_answered([0.1, math.nan], [True, True], 0.5)
