import csv

import pytest
import sacrebleu
from datasets import Dataset

from kftune.evaluation import evaluate_translation
from kftune.models import TransformerSeq2SeqLMPreprocessor, train_marian_tokenizer

PAIRS = Dataset.from_dict(
    {
        "source": ["EIN Hund läuft heute.", "Zwei\tKatzen"],
        "target": ["Ein Hund läuft heute weg.", 'zwei "Katzen"'],
    }
)


class Lowering:
    """Stands for a task: gives back small letters, and notes the options."""

    def __init__(self):
        tokenizer = train_marian_tokenizer(
            PAIRS["source"], PAIRS["target"], 30, byte_fallback=False
        )
        self.preprocessor = TransformerSeq2SeqLMPreprocessor(tokenizer, 32, 32)
        self.options = []

    def generate(self, texts, **options):
        self.options.append(options)
        return [text.lower() for text in texts]


def test_translations_are_kept_and_scored(tmp_path, capsys):
    task, path = Lowering(), tmp_path / "out" / "translations.tsv"
    scores = evaluate_translation(task, PAIRS, path, max_length=9)
    assert task.options and all(o == {"max_length": 9} for o in task.options)
    outputs = [text.lower() for text in PAIRS["source"]]
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    expected = [*zip(PAIRS["source"], PAIRS["target"], outputs, strict=True)]
    assert [tuple(row.values()) for row in rows] == expected

    printed = capsys.readouterr().out
    references = [[*PAIRS["target"]]]
    for name, lowercase in (("cased", False), ("lower_cased", True)):
        bleu = sacrebleu.corpus_bleu(outputs, references, lowercase=lowercase).score
        chrf = sacrebleu.metrics.CHRF(lowercase=lowercase)
        corpus = scores[name]["corpus"]
        assert corpus["bleu"] == pytest.approx(bleu)
        assert corpus["chrf"] == pytest.approx(
            chrf.corpus_score(outputs, references).score
        )
        assert ("case:lc" in scores[name]["signatures"]["bleu"]) == lowercase
        assert f"= {bleu:.2f} " in printed
    cased, lower = (scores[n]["corpus"]["bleu"] for n in ("cased", "lower_cased"))
    assert cased < lower
