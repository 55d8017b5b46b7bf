import datasets
import numpy as np
import pytest

from kftune.evaluation.classification import score_classes

NAMES = ["rotten", "fresh", "plot"]
LABELS = [0, 0, 0, 1, 1, 2, 2, 2]
PREDICTIONS = [0, 0, 1, 1, 1, 0, 1, 2]


def test_scores_are_those_computed_by_hand():
    scores = score_classes(LABELS, PREDICTIONS, NAMES)
    assert scores.accuracy == pytest.approx(5 / 8)
    np.testing.assert_allclose(scores.precision, [2 / 3, 2 / 4, 1])
    np.testing.assert_allclose(scores.recall, [2 / 3, 1, 1 / 3])
    np.testing.assert_allclose(scores.f1, [2 / 3, 2 / 3, 1 / 2])
    assert scores.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 1 / 2) / 3)
    np.testing.assert_array_equal(scores.support, [3, 2, 3])
    np.testing.assert_array_equal(scores.confusion, [[2, 1, 0], [0, 2, 0], [1, 1, 1]])


def test_table_has_a_line_for_each_class():
    assert str(score_classes(LABELS, PREDICTIONS, NAMES)).splitlines() == [
        "class   precision  recall     F1   rows",
        "rotten      0.667   0.667  0.667      3",
        "fresh       0.500   1.000  0.667      2",
        "plot        1.000   0.333  0.500      3",
        "accuracy 0.625, macro F1 0.611, 8 rows",
    ]


def test_a_table_is_there_when_no_row_is_right():
    scores = score_classes([0, 0, 1], [1, 1, 0], ["rotten", "fresh"])
    assert "fresh       0.000   0.000  0.000      1" in str(scores)


def test_class_that_does_not_occur_is_no_failure_of_the_model():
    scores = score_classes([0, 1, 1], [0, 1, 1], NAMES)
    assert scores.macro_f1 == 1.0
    assert scores.f1[2] == 0.0
    assert scores.confusion.shape == (3, 3)


def test_labels_may_be_a_column_of_a_dataset():
    column = datasets.Dataset.from_dict({"label": LABELS})["label"]
    scores = score_classes(column, np.array(PREDICTIONS), NAMES)
    assert scores.accuracy == pytest.approx(5 / 8)


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([0, 1], [0], r"labels of shape \(2,\), predictions of shape \(1,\)"),
        ([], [], r"shape \(0,\)"),
        ([0, 1], [[0.2, 0.8], [0.9, 0.1]], r"predictions of shape \(2, 2\)"),
        ([0, 1], [0.0, 1.0], "in predictions. Received: float64"),
        ([0, 3], [0, 1], "labels from 0 to 2.* 3 names. Received: 0 to 3"),
        ([0, 1], [-1, 1], "predictions from 0 to 2.* Received: -1 to 1"),
    ],
)
def test_what_is_not_a_class_is_an_error(labels, predictions, message):
    with pytest.raises(ValueError, match=message):
        score_classes(labels, predictions, NAMES)
