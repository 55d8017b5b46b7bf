import importlib.metadata

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from kftune.evaluation.summaries import ROUGE, check_summaries, score_summaries

SUMMARIES = ["The cat sat.", "Trained networks learn", "", "dogs run home"]
REFERENCES = [
    ["A cat sat there.", "No cat."],
    ["We train a network that learns."],
    ["Nothing here."],
    ["A dog runs.", "Home run dogs!", "dogs run"],
]


@pytest.mark.parametrize("use_stemmer", [True, False])
def test_scores_are_those_of_the_package_with_the_best_reference(use_stemmer):
    scores = score_summaries(SUMMARIES, REFERENCES, use_stemmer=use_stemmer)
    theirs = RougeScorer(list(ROUGE), use_stemmer=use_stemmer)
    for name in ROUGE:
        expected = [
            100 * max(theirs.score(text, summary)[name].fmeasure for text in row)
            for summary, row in zip(SUMMARIES, REFERENCES, strict=True)
        ]
        np.testing.assert_allclose(scores.rows[name], expected)
        assert scores.corpus[name] == pytest.approx(np.mean(expected))
        low, high = scores.intervals[name]
        assert 0 <= low <= scores.corpus[name] <= high <= 100
    version = importlib.metadata.version("rouge-score")
    stemmer = "yes" if use_stemmer else "no"
    assert scores.signature == f"nrefs:1-3|of:best|stemmer:{stemmer}|version:{version}"


def test_scores_computed_by_hand():
    scores = score_summaries(["the cat sat"], ["a cat sat there"], use_stemmer=False)
    # 2 words of 3 and of 4; 1 pair of 2 and of 3; 2 words in this order.
    expected = {"rouge1": 200 * 2 / 7, "rouge2": 200 * 1 / 5, "rougeL": 200 * 2 / 7}
    assert scores.corpus == pytest.approx(expected)
    assert "rouge2 40.00 [40.00, 40.00]" in str(scores)
    assert "nrefs:1|" in str(scores)


def test_the_stemmer_reads_endings_as_equal():
    texts = ["training networks"], ["trained network"]
    assert score_summaries(*texts, "rouge1").corpus == {"rouge1": 100}
    assert score_summaries(*texts, "rouge1", use_stemmer=False).corpus["rouge1"] == 0


@pytest.mark.parametrize("metrics", ["bleu", [], ["rouge1", "rougeX"]])
def test_metrics_must_be_known(metrics):
    received = str([metrics] if isinstance(metrics, str) else metrics)
    with pytest.raises(ValueError, match="Expected metrics among") as raised:
        score_summaries(SUMMARIES, REFERENCES, metrics)
    assert received in str(raised.value)


def test_rows_are_checked():
    with pytest.raises(ValueError, match="4 summaries, 3 references"):
        score_summaries(SUMMARIES, REFERENCES[:3])
    with pytest.raises(ValueError, match="blank ones at index 0, 1"):
        score_summaries(["a", "b"], [[], ["b", " "]])
    with pytest.raises(TypeError, match="summaries. Received: 7 at 1"):
        score_summaries(["a", 7], ["b", "b"])


def test_what_rouge_cannot_read_is_told_before_a_training():
    check_summaries(["A fine day.", ["今天", "7"], "Хороший день."])
    with pytest.raises(ValueError, match=r"2 of 3 without any, such as 'Хороший"):
        check_summaries(["A fine day.", ["Хороший", "день."], "今天"])
    with pytest.raises(ValueError, match="blank"):
        check_summaries(["A fine day.", " "])
