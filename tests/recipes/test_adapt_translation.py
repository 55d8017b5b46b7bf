import csv
import json
import runpy
from pathlib import Path

import pytest
import sacrebleu
from toy_pairs import save_tiny_preset, write_pairs

from kftune.decoding import BeamSearch, translate_texts
from kftune.models import TransformerSeq2SeqLM

RECIPE = Path(__file__).parents[2] / "recipes" / "adapt_translation.py"


@pytest.fixture(scope="module")
def out(run_recipe, tmp_path_factory):
    """A run that was killed in its second regime, and went on."""
    folder = tmp_path_factory.mktemp("adapt")
    save_tiny_preset(folder / "preset", languages=["de"])
    options = {
        "preset": folder / "preset",
        "corpora": write_pairs(folder, "messages", 400, 1),
        "general-test": write_pairs(folder, "general", 20, 2),
        "learning-rate": 2e-3,
        "max-tokens": 256,
        "max-length": 32,
        "epochs": 16,
        "patience": 16,
        "num-beams": 2,
        "out": folder / "out",
    }
    command = [part for name, v in options.items() for part in (f"--{name}", v)]
    command += ["--regimes", "nothing", "lora"]
    run_recipe("adapt_translation.py", *command, kill_after_epoch=3)
    assert not (folder / "out" / "results.json").exists()
    unadapted = folder / "out" / "unadapted" / "results.json"
    before = unadapted.stat().st_mtime_ns
    printed = run_recipe("adapt_translation.py", *command)
    assert "nothing: going on after 3 epochs" in printed
    assert unadapted.stat().st_mtime_ns == before
    return folder / "out"


@pytest.fixture(scope="module")
def results(out):
    return json.loads((out / "results.json").read_text())


def columns(path):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.mark.slow
def test_every_regime_is_scored_on_both_test_sets(out, results):
    systems = ["unadapted", "nothing", "lora"]
    for test in ("in domain", "general"):
        texts = columns(out / f"{test.replace(' ', '_')}.tsv")
        assert list(texts) == ["source", "target", *systems]
        assert len(texts["source"]) == results["rows"][test]
        for system in systems:
            expected = sacrebleu.corpus_bleu(texts[system], [texts["target"]]).score
            assert results["test"]["scores"][system][test]["bleu"] == pytest.approx(
                expected
            )
    bleu = {s: results["test"]["scores"][s]["in domain"]["bleu"] for s in systems}
    assert bleu["nothing"] > 20 > bleu["unadapted"]
    assert results["test"]["p_values"]["nothing"]["in domain"]["bleu"] < 0.05
    assert results["trained"]["unadapted"] == 0
    freezing = {
        name: json.loads((out / name / "results.json").read_text())["freezing"]
        for name in systems
    }
    assert freezing["unadapted"] is None
    assert freezing["lora"]["frozen_params"] > freezing["nothing"]["frozen_params"] == 0
    assert 0 < results["trained"]["lora"] < 0.5 < results["trained"]["nothing"] == 1
    rows = [row.split(" | ")[0] for row in results["table"].splitlines()]
    assert rows[2:5] == [f"| {system}" for system in systems]
    for name in ("changes.png", "nothing/curves.png", "lora/curves.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["nothing", "lora"])
def test_each_model_loads_and_translates_as_it_was_scored(out, regime):
    texts = columns(out / "in_domain.tsv")
    task = TransformerSeq2SeqLM.from_preset(out / regime / "model")
    assert not any("lora" in weight.name for weight in task.weights)
    task.compile(sampler=BeamSearch(2))
    outputs = translate_texts(task, texts["source"], target_language="de")
    assert outputs == texts[regime]


@pytest.mark.parametrize(
    ("regimes", "folder"),
    [
        (["regex:encoder", "nothing", "regex:.encoder"], "regex_encoder"),
        (["unadapted"], "unadapted"),
    ],
)
def test_regimes_that_would_share_a_folder_are_refused(regimes, folder):
    check = runpy.run_path(str(RECIPE))["check"]
    with pytest.raises(ValueError, match=f"several would be written to {folder}$"):
        check("no_such_preset", regimes, {"target": ["Ja."]})
