"""The recipe of a search: on a toy recipe in this process, and as a user runs it."""

import csv
import json
import runpy
import shlex
from pathlib import Path

import pytest
import yaml

from kftune.cli.recipe import read_options
from kftune.training import (
    read_space,
    search_space,
    search_worker,
    trial_callback,
    trial_process,
)
from kftune.training.trial_function import argument_problems, default_settings

RECIPES = Path(__file__).parents[2] / "recipes"
TOY = """
def main(*, rate=0.5, width=8, out):
    return 1 - (rate - 0.3) ** 2
"""


class TrialHere:
    """Stands in for `TrialProcess`, without the seconds that a fresh process takes."""

    def __init__(self, folder, number, reference):
        (folder / "trials" / str(number)).mkdir(parents=True)
        trial_process.run_trial(folder, number, reference)

    def has_ended(self):
        return True

    def death(self):
        return "heard by nobody"


@pytest.fixture
def search(monkeypatch, tmp_path):
    """Runs the recipe on a toy recipe."""
    monkeypatch.setattr(search_worker, "TrialProcess", TrialHere)
    monkeypatch.setattr(search_worker, "POLL_SECONDS", 0)
    (tmp_path / "toy.py").write_text(TOY)
    main = runpy.run_path(str(RECIPES / "search.py"))["main"]

    def search(space, **options):
        (tmp_path / "space.yaml").write_text(yaml.safe_dump(space))
        files = {"recipe": tmp_path / "toy.py", "space": tmp_path / "space.yaml"}
        options = {"out": tmp_path / "out", **options}
        main(**files, **options)
        trial_callback.enter_trial(None)
        return json.loads((options["out"] / "results.json").read_text())

    yield search
    trial_callback.enter_trial(None)


def test_a_search_is_written_down(search, tmp_path, capsys):
    space = {"rate": {"low": 0.0, "high": 1.0}, "width": [4, 8]}
    results = search(space, trials=6)
    assert len(results["trials"]) == 6
    # The defaults of the recipe come first.
    first = results["trials"][0]
    assert {name: first[name] for name in space} == {"rate": 0.5, "width": 8}
    best = min(results["trials"], key=lambda trial: abs(trial["rate"] - 0.3))
    assert results["trial"] == best["number"]
    assert results["value"] == pytest.approx(1 - (best["rate"] - 0.3) ** 2)
    assert results["best"] == {name: best[name] for name in space}
    assert sum(results["importance"].values()) == pytest.approx(1)
    assert results["space"] == space
    assert results["settings"]["sampler"] == "tpe"

    out = tmp_path / "out"
    assert yaml.safe_load((out / "best.yaml").read_text()) == results["best"]
    for name in ("slices.png", "importance.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert f"Trial {best['number']} is the best: val_accuracy" in printed
    following = f"--config {out}/best.yaml --out {out}/best"
    assert f"Next: python {tmp_path / 'toy.py'} {following}" in printed


def test_a_grid_of_a_few_points_has_no_importance(search, tmp_path):
    results = search({"rate": [0.2, 0.4, 0.7]}, sampler="grid")
    assert [trial["rate"] for trial in results["trials"]] == [0.2, 0.4, 0.7]
    assert results["importance"] == {}
    assert (tmp_path / "out" / "slices.png").exists()
    assert not (tmp_path / "out" / "importance.png").exists()


def test_the_best_settings_are_options_of_the_recipe(search, tmp_path, capsys):
    main = "def main(*, freeze: list[str], sizes: list[int] | None = None, "
    main += "rate=0.5, out: str):"
    (tmp_path / "toy.py").write_text(f"{main}\n    return len(freeze[0]) + sizes[0]\n")
    out = tmp_path / "my search"
    space = {"freeze": ["all_but_last:1", "embeddings"], "sizes": 3, "rate": 0.2}
    results = search(space, sampler="grid", out=out)
    assert results["value"] == len("all_but_last:1") + 3
    command = capsys.readouterr().out.split("Next: python ")[1]
    recipe, *options = shlex.split(command)
    main = runpy.run_path(recipe)["main"]
    best = {"freeze": ["all_but_last:1"], "sizes": [3], "rate": 0.2}
    assert results["best"] == best
    assert read_options(main, options) == {**best, "out": str(out / "best")}


def test_the_space_of_reviews_holds_the_defaults():
    main = runpy.run_path(str(RECIPES / "classify_reviews.py"))["main"]
    space = read_space(RECIPES / "configs" / "search_reviews.yaml")
    assert search_space.space_problems(space, grid=False) == []
    assert argument_problems(main, space) == []
    searched = search_space.searched(space)
    defaults = default_settings(main, searched)
    for name, default in defaults.items():
        assert default == main.__kwdefaults__[name]
    assert defaults.keys() == searched.keys()
    assert space["epochs"] == main.__kwdefaults__["epochs"]


@pytest.mark.slow
def test_the_best_settings_of_a_search_train_a_classifier(run_recipe, tmp_path):
    with (tmp_path / "reviews.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for i in range(60):
            verdict = ["dull", "fine"][i % 2]
            writer.writerow([f"Film {i} is {verdict}.", verdict])
    space = {"data": str(tmp_path / "reviews.csv"), "text": "text", "label": "label"}
    space |= {"learning_rate": [1e-3, 2e-3], "freeze": "backbone", "epochs": 1}
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(space))
    files = ["--space", tmp_path / "space.yaml", "--out", tmp_path / "search"]
    printed = run_recipe("search.py", *files, "--sampler", "grid")
    assert "is the best: val_accuracy" in printed

    for number in (0, 1):
        folder = tmp_path / "search" / "trials" / str(number)
        assert (folder / "history.csv").exists()
        assert not (folder / "results.json").exists()  # the test split was not scored
    best = tmp_path / "search" / "best.yaml"
    out = ["--out", tmp_path / "best"]
    run_recipe("classify_reviews.py", "--config", best, *out)
    settings = json.loads((tmp_path / "best" / "results.json").read_text())["settings"]
    expected = yaml.safe_load(best.read_text())
    assert {name: settings[name] for name in expected} == expected
