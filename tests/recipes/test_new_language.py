import csv
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
from keras import ops
from toy_pairs import save_tiny_preset, write_pairs

from kftune.cli import recipe
from kftune.models import load_backbone

RECIPE = Path(__file__).parents[2] / "recipes/new_language.py"


@pytest.fixture(scope="module")
def folder(run_recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("new_language")
    save_tiny_preset(folder / "preset")
    options = {
        "preset": folder / "preset",
        "train": write_pairs(folder, "train", 400, 1),
        "test": write_pairs(folder, "test", 20, 2),
        "vocabulary-size": 288,
        "learning-rate": 5e-3,
        "warmup-steps": 20,
        "max-tokens": 256,
        "max-length": 32,
        "epochs": 12,
        "patience": 12,
        "num-beams": 2,
        "out": folder / "out",
    }
    command = [part for name, v in options.items() for part in (f"--{name}", v)]
    run_recipe("new_language.py", *command)
    return folder


@pytest.mark.slow
def test_both_models_are_trained_and_scored(folder):
    results = json.loads((folder / "out" / "results.json").read_text())
    with (folder / "out" / "test.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    systems = ["from scratch", "encoder of the preset"]
    assert list(rows[0]) == ["source", "target", *systems]
    assert results["rows"]["test"] == len(rows) == 20
    for system in systems:
        outputs, references = ([row[n] for row in rows] for n in (system, "target"))
        scores = results["test"]["scores"][system]["test"]
        for name, score in (
            ("bleu", sacrebleu.corpus_bleu),
            ("chrf", sacrebleu.corpus_chrf),
        ):
            assert scores[name] == pytest.approx(score(outputs, [references]).score)
        # The preset's encoder is random and frozen: not much can be read out of it.
        assert scores["bleu"] > (50 if system == "from scratch" else 2)
    assert results["trained"]["from scratch"] == 1
    assert 0.2 < results["trained"]["encoder of the preset"] < 0.8


@pytest.mark.slow
def test_the_encoder_is_still_that_of_the_preset(folder):
    preset = load_backbone(folder / "preset")
    models = [
        load_backbone(folder / "out" / name / "model")
        for name in ("encoder_of_the_preset", "from_scratch")
    ]
    ids = np.arange(3, 15, dtype="int32").reshape(2, 6)
    states = [
        ops.convert_to_numpy(model.encode(ids, np.ones_like(ids)))
        for model in (preset, *models)
    ]
    np.testing.assert_allclose(states[1], states[0], atol=1e-6)
    assert np.abs(states[2] - states[0]).max() > 0.1


def test_a_misspelt_policy_ends_it_before_training(tmp_path):
    save_tiny_preset(tmp_path / "preset")
    main = runpy.run_path(str(RECIPE))["main"]
    options = {
        "preset": tmp_path / "preset",
        "train": write_pairs(tmp_path, "train", 400, 1),
        "freeze": "encodr",
        "vocabulary-size": 288,
        "out": tmp_path / "out",
    }
    given = [str(part) for name, v in options.items() for part in (f"--{name}", v)]
    with pytest.raises(ValueError, match="encodr"):
        recipe.run_recipe(main, given)
    assert not (tmp_path / "out").exists()
