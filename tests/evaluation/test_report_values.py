import pytest

from kftune.evaluation import wilson_interval
from kftune.evaluation.report_values import score_texts


def shown(share, rows):
    low, high = wilson_interval(share, rows)
    return f"{share} [{low:.4g}, {high:.4g}]"


def test_accuracies_have_the_interval_of_the_test_rows():
    results = {
        "data": {"rows": {"train": 90, "test": 10}},
        "test": {"accuracy": 0.5, "macro_f1": 0.4},
        "baselines": {"naive_bayes": {"accuracy": 0.3}},
    }
    assert score_texts(results, {}) == {
        "test: accuracy": shown(0.5, 10),
        "test: macro_f1": "0.4",
        "baselines: naive_bayes: accuracy": shown(0.3, 10),
    }


def test_each_task_has_test_rows_of_its_own():
    results = {
        "data": {"a": {"rows": {"test": 10}}, "b": {"rows": {"test": 1000}}},
        "test": {"a": {"accuracy": 0.5}, "b": {"alone": {"accuracy": 0.5}}},
    }
    assert score_texts(results, {}) == {
        "test: a: accuracy": shown(0.5, 10),
        "test: b: alone: accuracy": shown(0.5, 1000),
    }


@pytest.mark.parametrize("score", [0.5, {"accuracy": 0.5}, {"accuracy": 70.5}])
def test_without_rows_or_a_share_there_is_no_interval(score):
    (text,) = score_texts({"test": score}, {}).values()
    assert "[" not in text
