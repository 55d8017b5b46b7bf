import csv
import itertools
import json
import runpy
from pathlib import Path

import h5py
import numpy as np
import pytest
from verdict_words import BAD, GOOD

from kftune.cli import recipe
from kftune.evaluation.run_outputs import read_outputs
from kftune.models import load_task
from kftune.training import read_history

pytestmark = [pytest.mark.backend, pytest.mark.long]

RECIPE = Path(__file__).parents[2] / "recipes/generate_reviews.py"
LEARNING = ["--learning-rate", 1e-2, "--batch-size", 16, "--epochs", 20]


@pytest.fixture(scope="module")
def words(folder):
    """A csv file of all texts of three words that tell their label."""
    path = folder / "words.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "verdict"])
        for verdict, own in (("fresh", GOOD), ("rotten", BAD)):
            for three in itertools.product(own, repeat=3):
                writer.writerow([f"{' '.join(three)}.", verdict])
    return path


@pytest.fixture(scope="module")
def options(words, preset):
    given = {
        "--preset": preset,
        "--data": words,
        "--text": "review",
        "--label": "verdict",
        "--prompt": "{label}:",
        "--samples": 12,
        "--max-new-tokens": 10,
    }
    return [*(part for pair in given.items() for part in pair), *LEARNING]


@pytest.fixture(scope="module")
def whole(run_recipe, options, folder):
    """The folder of a run that was not stopped, and what it printed."""
    out = folder / "whole"
    return out, run_recipe("generate_reviews.py", *options, "--out", out)


def test_more_new_tokens_than_positions_end_it_before_training(options, folder):
    main = runpy.run_path(str(RECIPE))["main"]
    changed = [*map(str, options), "--max-new-tokens", "999"]
    with pytest.raises(ValueError, match="max_new_tokens from 1 to .*999"):
        recipe.run_recipe(main, [*changed, "--out", str(folder / "refused")])
    assert not (folder / "refused").exists()


def read_results(out):
    return json.loads((out / "results.json").read_text())


def test_it_writes_what_it_is_told_to(whole):
    out, printed = whole
    results = read_results(out)
    before, after = (results["perplexity"][name] for name in ("before", "after"))
    assert min(before.values()) > 100  # a random model of 400 tokens
    assert after["prompted"] < 0.1 * before["plain"]
    assert results["test"]["accuracy"] > 0.9
    generated = results["generated"]
    assert generated["control_accuracy"] > 0.8
    assert generated["interval"][0] < generated["control_accuracy"]
    assert generated["judge_accuracy"] > 0.9
    assert np.mean(list(generated["by_class"].values())) == pytest.approx(
        generated["control_accuracy"]
    )
    assert results["baselines"]["majority"]["accuracy"] < 0.7
    assert f"control accuracy {generated['control_accuracy']:.1%}" in printed
    assert "  rotten:\n" in printed  # a sample in training


def test_samples_stand_beside_reviews_of_their_class(whole, words):
    out, _ = whole
    rows = read_outputs(out)["samples.tsv"]
    assert len(rows) == 2 * 12
    written = words.read_text().splitlines()
    for row in rows:
        verdict = row["source"].removesuffix(":")
        assert f"{row['target']},{verdict}" in written
    right = [row["judged"] == row["source"].removesuffix(":") for row in rows]
    control = read_results(out)["generated"]["control_accuracy"]
    assert np.mean(right) == pytest.approx(control)


def test_figures_and_a_model_are_written(whole):
    out, _ = whole
    for name in ("curves.png", "confusion.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    assert not (out / "checkpoints").exists()
    task = load_task(out / "model")
    task.compile(sampler="greedy")
    text = task.generate("fresh:", max_length=16, strip_prompt=True)
    assert set(text.strip(" .").split()) <= set(GOOD)


@pytest.mark.slow
def test_a_killed_run_ends_as_a_whole_one(whole, run_recipe, options, folder):
    out = folder / "killed"
    command = ["generate_reviews.py", *options, "--out", out]
    run_recipe(*command, kill_after_epoch=3)
    assert "going on after 3 epochs" in run_recipe(*command)
    results = [read_results(each) for each in (whole[0], out)]
    for name in ("perplexity", "generated", "test", "overfitting"):
        assert results[0][name] == results[1][name]
    assert read_history(out) == read_history(whole[0])
    assert read_outputs(out) == read_outputs(whole[0])


@pytest.mark.slow
def test_from_scratch_and_partly_frozen(run_recipe, options, preset, folder):
    out = folder / "frozen"
    changes = ["--pretrained", "false", "--freeze", "all_but_last:1", "--epochs", 1]
    run_recipe("generate_reviews.py", *options, *changes, "--out", out)
    assert read_results(out)["freezing"]["policy"] == "all_but_last:1"
    weights = [path / "model.weights.h5" for path in (preset, out / "model")]
    files = [h5py.File(path) for path in weights]
    tables = [file["layers/reversible_embedding/vars/0"][()] for file in files]
    assert not np.array_equal(*tables)
