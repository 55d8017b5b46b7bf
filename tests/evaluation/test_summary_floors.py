import pytest
from rouge_score.rouge_scorer import RougeScorer

from kftune.evaluation.summary_floors import (
    lead_sentences,
    oracle_sentence,
    summary_floors,
)

SOURCE = "Films are long, as Liu et al. (2016) say. We cut films short. Cut!"


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (1, "Films are long, as Liu et al. (2016) say."),
        (2, "Films are long, as Liu et al. (2016) say. We cut films short."),
        (9, SOURCE),
    ],
)
def test_the_lead_is_the_first_sentences(n, expected):
    assert lead_sentences(SOURCE, n) == expected


def test_the_lead_has_a_sentence():
    with pytest.raises(ValueError, match="Received: 0"):
        lead_sentences(SOURCE, 0)


@pytest.mark.parametrize("metric", ["rouge1", "rougeL"])
@pytest.mark.parametrize(
    ("references", "expected"),
    [
        ("We shorten films.", "We cut films short."),
        (["Nothing.", "Films are long"], "Films are long, as Liu et al. (2016) say."),
    ],
)
def test_the_oracle_is_the_best_sentence_by_the_package(references, expected, metric):
    scorer = RougeScorer([metric], use_stemmer=True)
    rows = [references] if isinstance(references, str) else references
    scores = {
        text: max(scorer.score(row, text)[metric].fmeasure for row in rows)
        for text in (*SOURCE.partition(" say. ")[:1], "We cut films short.", "Cut!")
    }
    assert max(scores, key=scores.get)[:9] == expected[:9]
    assert oracle_sentence(SOURCE, references, metric) == expected


def test_a_blank_source_has_no_best_sentence():
    assert oracle_sentence(" ", "a") == ""


def test_floors_of_a_test_set():
    train = {
        "source": ["Bees fly.", "Films roll."],
        "target": ["On bees.", "On films."],
    }
    test = {"source": ["All is well. The films rolled."], "target": [["Film roll"]]}
    assert summary_floors(train, test) == {
        "lead": ["All is well."],
        "memory": ["On films."],
        "oracle": ["The films rolled."],
    }
