import json
import subprocess
import sys

import pytest
import sacrebleu
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest

from kftune.evaluation.compare_systems import compare_systems

REFERENCES = [f"The cat number {i} sat on the mat of room {i}." for i in range(40)]
GOOD = [text.replace("sat", "lay") for text in REFERENCES]
WORSE = [t.replace("mat", "rug") if i % 2 else t for i, t in enumerate(GOOD)]
LIKE = [t.replace("mat", "rug") if not i % 2 else t for i, t in enumerate(GOOD)]
SYSTEMS = {"worse": WORSE, "good": GOOD, "like": LIKE}


@pytest.mark.parametrize(
    ("test", "code"), [("bootstrap", "bs"), ("randomisation", "ar")]
)
def test_scores_and_chances_are_sacrebleus(test, code):
    compared = compare_systems(
        SYSTEMS, REFERENCES, ["bleu", "chrf"], test=test, samples=200
    )
    metrics = {"bleu": BLEU(), "chrf": CHRF()}
    signatures, expected = PairedTest(
        list(SYSTEMS.items()), metrics, [REFERENCES], code, n_samples=200
    )()
    for metric, name in (("bleu", "BLEU"), ("chrf", "chrF2")):
        assert compared.signatures[metric] == str(signatures[name])
        for system, result in zip(SYSTEMS, expected[name], strict=True):
            assert vars(compared.scores[system][metric]) == vars(result)
    assert compared.scores["good"]["bleu"].p_value < 0.01
    assert compared.scores["like"]["bleu"].p_value > 0.3
    assert compared.scores["worse"]["bleu"].p_value is None


def test_it_prints_a_line_a_score():
    compared = compare_systems(SYSTEMS, REFERENCES, "bleu", samples=100)
    lines = str(compared).split("\n")
    score = sacrebleu.corpus_bleu(GOOD, [REFERENCES]).score
    assert lines[0].startswith("worse\tbleu\t") and lines[0].endswith("\tbaseline")
    assert lines[1].startswith(f"good\tbleu\t{score:.2f} (")
    assert lines[1].endswith(f"p = {1 / 101:.4f}")
    assert lines[3].startswith("# bleu|nrefs:1|bs:100|seed:12345|case:mixed")


def test_the_command_of_sacrebleu_gives_the_same(tmp_path):
    paths = {}
    for name, texts in {"references": REFERENCES, **SYSTEMS}.items():
        paths[name] = str(tmp_path / name)
        (tmp_path / name).write_text("\n".join(texts) + "\n", "utf-8")
    files = [paths.pop("references"), "-i", *paths.values(), "-m", "bleu"]
    options = ["--paired-bs", "--paired-bs-n", "200", "-f", "json"]
    command = [sys.executable, "-m", "sacrebleu", *files, *options]
    printed = json.loads(subprocess.check_output(command))
    result = compare_systems(SYSTEMS, REFERENCES, "bleu", samples=200).scores["good"]
    expected = next(s for s in printed if s["system"].endswith("good"))["BLEU"]
    assert result["bleu"].score == pytest.approx(expected["score"])
    assert result["bleu"].p_value == pytest.approx(expected["p_value"])
    assert result["bleu"].mean == pytest.approx(expected["mean"])
    assert result["bleu"].ci == pytest.approx(expected["ci"])


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match=r"Received: \['a'\], 'bootstrap', samples=No"):
        compare_systems({"a": ["x"]}, ["x"])
    with pytest.raises(ValueError, match="'t', samples=0"):
        compare_systems({"a": ["x"], "b": ["x"]}, ["x"], test="t", samples=0)
    with pytest.raises(ValueError, match="1 translations of 'b', 2 references"):
        compare_systems({"a": ["x", "y"], "b": ["x"]}, ["x", "y"])
    with pytest.raises(ValueError, match="blank ones at index 1"):
        compare_systems({"a": ["x", "y"], "b": ["x", "y"]}, ["x", ""])
