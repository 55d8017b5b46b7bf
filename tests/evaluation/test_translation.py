import numpy as np
import pytest
import sacrebleu
from sacrebleu.metrics import BLEU, CHRF, TER

from kftune.evaluation.translation import (
    check_references,
    score_sentences,
    score_translations,
)

HYPOTHESES = [
    "Ein Hund läuft über das grüne Gras.",
    "zwei Männer Sitzen auf einer Bank im Park .",
    "",
    "Die Frau liest ein Buch, während sie wartet.",
]
REFERENCES = [
    "Ein Hund rennt über das grüne Gras.",
    "Zwei Männer sitzen auf einer Bank im Park.",
    "Ein Kind spielt.",
    "Eine Frau liest ein Buch, während sie wartet.",
]
OTHERS = ["Der Hund läuft über den Rasen.", None, "Ein Kind spielt hier.", None]


@pytest.mark.parametrize("lowercase", [False, True])
def test_corpus_scores_are_sacrebleus(lowercase):
    scores = score_translations(HYPOTHESES, REFERENCES, lowercase=lowercase)
    streams = [REFERENCES]
    expected = {
        "bleu": sacrebleu.corpus_bleu(HYPOTHESES, streams, lowercase=lowercase),
        "chrf": CHRF(lowercase=lowercase).corpus_score(HYPOTHESES, streams),
        "ter": sacrebleu.corpus_ter(HYPOTHESES, streams),
    }
    assert scores.corpus == {name: score.score for name, score in expected.items()}
    assert 0 < scores.corpus["bleu"] < 100
    case = "lc" if lowercase else "mixed"
    assert f"case:{case}|eff:no|tok:13a" in scores.signatures["bleu"]
    assert f"case:{case}" in scores.signatures["chrf"]
    assert scores.signatures["ter"].startswith("nrefs:1|case:lc|tok:tercom")
    lines = str(scores).split("\n")
    for line, score in zip(lines, expected.values(), strict=True):
        assert f" = {score.score:.2f}" in line
        assert f"version:{sacrebleu.__version__}" in line


def test_several_references_a_row():
    pairs = zip(REFERENCES, OTHERS, strict=True)
    rows = [[text for text in pair if text is not None] for pair in pairs]
    scores = score_translations(HYPOTHESES, rows)
    streams = [REFERENCES, OTHERS]
    for name, metric in {"bleu": BLEU(), "chrf": CHRF(), "ter": TER()}.items():
        assert scores.corpus[name] == metric.corpus_score(HYPOTHESES, streams).score
    assert scores.signatures["bleu"].startswith("nrefs:var")
    sentences = score_sentences(HYPOTHESES, rows, "bleu")["bleu"]
    expected = sacrebleu.sentence_bleu(HYPOTHESES[0], rows[0])
    assert sentences[0] == expected.score


def test_sentence_scores_are_sacrebleus():
    scores = score_sentences(HYPOTHESES, REFERENCES)
    functions = {
        "bleu": sacrebleu.sentence_bleu,
        "chrf": sacrebleu.sentence_chrf,
        "ter": sacrebleu.sentence_ter,
    }
    assert scores.keys() == functions.keys()
    for name, function in functions.items():
        rows = zip(HYPOTHESES, REFERENCES, strict=True)
        expected = [function(hypothesis, [row]).score for hypothesis, row in rows]
        np.testing.assert_array_equal(scores[name], expected)
        assert len(set(expected)) > 2


def test_words_of_chinese_are_told_apart_by_its_tokenizer():
    hypotheses, references = ["我喜欢红色的花朵"], ["我很喜欢红色的花"]
    received = score_translations(hypotheses, references, "bleu", tokenize="zh")
    expected = sacrebleu.corpus_bleu(hypotheses, [references], tokenize="zh")
    assert received.corpus["bleu"] == expected.score > 10
    assert "tok:zh" in received.signatures["bleu"]
    assert score_translations(hypotheses, references, "bleu").corpus["bleu"] == 0


@pytest.mark.parametrize("function", [score_translations, score_sentences])
def test_what_cannot_be_scored_is_refused(function):
    with pytest.raises(ValueError, match="Received: 2 hypotheses, 1 references"):
        function(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="Received: 0 hypotheses, 0 references"):
        function([], [])
    with pytest.raises(ValueError, match="blank ones at index 1, 3"):
        function(["a"] * 4, ["a", " ", ["a", "b"], ["a", ""]])
    with pytest.raises(ValueError, match="blank ones at index 0"):
        function(["a"], [[]])
    with pytest.raises(TypeError, match="among the hypotheses. Received: None at 1"):
        function(["a", None], ["a", "b"])
    with pytest.raises(TypeError, match="among the references. Received: 7 at 0"):
        function(["a", "b"], [7, ["b", "c"]])
    with pytest.raises(ValueError, match=r"'ter'\). Received: \['rouge'\]"):
        function(["a"], ["a"], "rouge")
    with pytest.raises(ValueError, match=r"Received: \[\]"):
        function(["a"], ["a"], [])
    with pytest.raises(ValueError, match="'13a'.*Received: 'klingon'"):
        function(["a"], ["a"], tokenize="klingon")


def test_references_are_checked_without_translations():
    check_references(["a", ["b", "c"]], ["x", "y"])
    with pytest.raises(TypeError, match="among the sources. Received: None at 1"):
        check_references(["a", "b"], ["x", None])
    with pytest.raises(ValueError, match="blank ones at index 1"):
        check_references(["a", " ", "c"])
