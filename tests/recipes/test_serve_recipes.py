"""From a preset to an answered request, by the stand-in."""

import json
import runpy
from pathlib import Path

import pytest
from toy_pairs import save_tiny_preset

from kftune.models import GPT2TextClassifier

ROOT = Path(__file__).parents[2]
PROTOCOLS = {"grpc", "rest"}


def results_of(out):
    results = json.loads((out / "results.json").read_text("utf-8"))
    assert results["server"] == "stand-in"
    assert set(results["checks"].values()) <= {"ok", "skipped"}
    assert results["answers"].keys() == PROTOCOLS
    assert results["answers"]["grpc"] == results["answers"]["rest"]
    return results


@pytest.mark.slow
def test_a_translation_model_answers(run_recipe, tmp_path):
    preset, out = tmp_path / "preset", tmp_path / "out"
    # All that is written is written for each size of a batch, again and again.
    save_tiny_preset(preset, languages=["de"], length=8)
    options = ["--preset", preset, "--texts", "the red cow", "--num-beams", 2]
    options += ["--max-length", 8]
    printed = run_recipe("serve_translation.py", *options, "--out", out)
    results = results_of(out)
    assert results["version"] == 1
    (text,) = results["answers"]["grpc"]["de"]
    assert f"grpc  de  the red cow  ->  {text}" in printed
    assert (out / "translation" / "1" / "saved_model.pb").is_file()


@pytest.mark.slow
def test_a_classifier_answers(run_recipe, preset, tmp_path):
    task = GPT2TextClassifier.from_preset(preset, label_names=["rotten", "fresh"])
    task.save_to_preset(tmp_path / "model")
    options = ["--preset", tmp_path / "model", "--texts", "A treat.", "A bore."]
    run_recipe("serve_reviews.py", *options, "--out", tmp_path / "out")
    answer = results_of(tmp_path / "out")["answers"]["rest"]
    expected = task.predict(["A treat.", "A bore."], verbose=0).argmax(axis=-1)
    assert answer["label"] == [["rotten", "fresh"][number] for number in expected]


def test_languages_that_the_model_does_not_know_are_refused_at_once(tmp_path):
    save_tiny_preset(tmp_path / "preset", languages=["de"])
    main = runpy.run_path(str(ROOT / "recipes/serve_translation.py"))["main"]
    with pytest.raises(ValueError, match=r"\['de'\]; none .*Received: \['fr'\]"):
        main(
            preset=str(tmp_path / "preset"),
            target_languages=["de", "fr"],
            out=tmp_path / "out",
        )
    assert not (tmp_path / "out").exists()
