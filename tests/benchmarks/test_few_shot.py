"""A comparison by the number of labels repeats no run, and adds up its own cells."""

import runpy
from pathlib import Path

import keras
import pytest
import yaml

ROOT = Path(__file__).parents[2]
RECIPE = """
import json
from pathlib import Path

from kftune.cli.recipe import run_recipe


def main(
    *, rate: float = 0.5, examples: int = 0, epochs: int = 3, seed: int = 0,
    out: Path = ".",
):
    '''Writes results that depend on the settings.'''
    settings = dict(locals(), out=str(out))
    out.mkdir(parents=True)
    accuracy = rate + (examples or 64) / 1000 + seed / 100
    results = {
        "test": {"accuracy": accuracy, "macro_f1": rate},
        "baselines": {"naive_bayes": {"accuracy": 0.1 + seed / 100}},
        "settings": settings,
        "versions": {"backend": "BACKEND"},
    }
    (out / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    run_recipe(main)
"""
PLAN = {
    "recipe": "recipe.py",
    "seeds": [0, 2],
    "examples": [8, 0],
    "common": {"epochs": 1},
    "regimes": {"slow": {"rate": 0.25}, "fast": {"rate": 0.75}},
}
# Standard deviation of a and a + 2 percent: the square root of 2.
TABLE = [
    "| labels a class | 8 | all |",
    "|---|---|---|",
    "| naive Bayes | 11.0 ± 1.4 | 11.0 ± 1.4 |",
    "| slow | 26.8 ± 1.4 | 32.4 ± 1.4 |",
    "| fast | 76.8 ± 1.4 | 82.4 ± 1.4 |",
]


@pytest.fixture
def compare(run, tmp_path, monkeypatch):
    """Runs the comparison; gives the lines that it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    Path("recipe.py").write_text(RECIPE.replace("BACKEND", keras.config.backend()))
    Path("plan.yaml").write_text(yaml.safe_dump(PLAN, sort_keys=False))
    return lambda: run("few_shot.py", "plan.yaml", "--out", "runs").splitlines()


@pytest.mark.long
def test_a_table_and_a_plot_of_runs_that_are_made_once(compare):
    # A process a run takes seconds: all but one of the runs are there already.
    make = runpy.run_path("recipe.py")["main"]
    for name, rate in (("slow", 0.25), ("fast", 0.75)):
        for examples, seed in ((8, 0), (8, 2), (0, 0), (0, 2)):
            if (name, examples, seed) != ("fast", 0, 2):
                folder = Path("runs", f"{name}, {examples or 'all'}-{seed}")
                make(rate=rate, examples=examples, epochs=1, seed=seed, out=folder)
    printed = compare()
    (made,) = [line for line in printed if line.startswith("$ ")]
    assert made.endswith(f"--seed 2 --out {Path('runs', 'fast, all-2')}")
    assert printed[-5:] == TABLE
    assert Path("runs/table.md").read_text().splitlines() == TABLE
    assert Path("runs/few_shot.png").read_bytes().startswith(b"\x89PNG")
    assert compare() == TABLE


def test_the_plan_names_options_of_the_recipe():
    plan = yaml.safe_load((ROOT / "benchmarks" / "few_shot.yaml").read_text())
    main = runpy.run_path(str(ROOT / plan["recipe"]))["main"]
    names = {"examples", "seed", "out"}.union(plan["common"], *plan["regimes"].values())
    assert {name.replace("-", "_") for name in names} <= main.__kwdefaults__.keys()
