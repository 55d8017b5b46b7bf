import numpy as np
import pytest
from datasets import Dataset

from kftune.data import encode_labels
from kftune.evaluation import judge_texts, score_variety, wilson_interval


def rows(**texts):
    columns = {"text": [], "label": []}
    for label, own in texts.items():
        columns["text"] += own
        columns["label"] += [label] * len(own)
    return encode_labels(Dataset.from_dict(columns))


TRAIN = rows(fresh=["a fine film"], rotten=["a dull film"])
TEST = rows(fresh=["fine fun", "so-so fun"], rotten=["dull", "a dull day", "slow"])
REAL = rows(fresh=["fine fun", "so-so fun"], rotten=["dull", "slow"])
TEXTS = ["a fine film", "dull dull", "a dull thing", "dull"]


def judge(texts):
    return np.array([int("dull" in text) for text in texts])


@pytest.fixture
def judged():
    return judge_texts(TEXTS, REAL, judge, train=TRAIN, test=TEST)


def test_texts_are_of_the_class_that_was_asked_for_or_not(judged):
    assert judged.classes.tolist() == [0, 1, 1, 1]
    assert judged.scores.accuracy == 3 / 4
    assert judged.interval == wilson_interval(3 / 4, 4)
    assert judged.scores.confusion.tolist() == [[1, 1], [0, 2]]
    # "slow" is rotten, one of three: of each class as often as texts were asked for.
    assert judged.judge_accuracy == pytest.approx((1 + 2 / 3) / 2)
    assert judged.variety == score_variety(TEXTS, TRAIN["text"])
    assert judged.real_variety == score_variety(REAL["text"], TRAIN["text"])


def test_what_is_kept_and_printed(judged):
    summary = judged.summary()
    assert summary["control_accuracy"] == 3 / 4
    assert summary["by_class"] == {"fresh": 0.5, "rotten": 1.0}
    assert summary["distinct_1"] == 5 / 9  # a fine film dull thing
    assert summary["real_texts"]["distinct_1"] == 5 / 7  # "so-so" is two words
    printed = str(judged)
    assert "75.0% [30.1%, 95.4%] of 4 texts: fresh 50.0%, rotten 100.0%" in printed
    assert "right on 83.3%" in printed
    assert "distinct_1 0.556, real texts 0.714" in printed


def test_a_text_for_each_real_one():
    with pytest.raises(ValueError, match="3 texts and 4 real"):
        judge_texts(TEXTS[:3], REAL, judge, train=TRAIN, test=TEST)
