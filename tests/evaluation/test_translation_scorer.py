import sys

import pytest
import sacrebleu

from kftune.evaluation import translation_scorer


class Parrot:
    """Stands in for a model: says what it is told to."""

    def __init__(self, outputs):
        self.outputs = outputs


def test_held_out_pairs_are_translated_and_scored(monkeypatch):
    rows = {
        "source": ["a dog runs", "a cat sleeps well"],
        "target": ["ein Hund rennt los", "eine Katze schläft gut"],
    }
    outputs = ["ein Hund läuft los", "eine Katze schläft gut"]
    asked = []

    def translate(task, texts, **options):
        asked.append((list(texts), options))
        return task.outputs

    module = sys.modules["kftune.evaluation.translation_scorer"]
    monkeypatch.setattr(module, "translate_texts", translate)
    score = translation_scorer(rows, ["bleu", "chrf"], target_language="de")
    expected = {
        "bleu": sacrebleu.corpus_bleu(outputs, [rows["target"]]).score,
        "chrf": sacrebleu.corpus_chrf(outputs, [rows["target"]]).score,
    }
    assert score(Parrot(outputs)) == pytest.approx(expected)
    assert asked == [(rows["source"], {"target_language": "de"})]
    assert list(translation_scorer(rows)(Parrot(outputs))) == ["bleu"]
