"""A comparison repeats no run, and takes no other run's results for its own."""

import json
import runpy
import sys
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
    *,
    rate: float = 0.5,
    freeze: str = "nothing",
    stages: list[str] = [],
    seed: int = 0,
    out: Path = ".",
):
    '''Writes results that depend on the settings.'''
    settings = dict(locals(), out=str(out))
    out.mkdir(parents=True)
    results = {
        "test": {"accuracy": rate + seed / 100, "macro_f1": rate},
        "baselines": {"majority": {"accuracy": 0.5}},
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
    "common": {"freeze": "backbone", "stages": ["a", "b"]},
    "regimes": {"slow": {"rate": 0.25}, "fast": {"rate": 0.75, "seeds": [1]}},
}


@pytest.fixture
def compare(tmp_path, monkeypatch, capsys):
    """Runs a comparison; gives what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    main = runpy.run_path(str(ROOT / "benchmarks" / "regimes.py"))["main"]

    def run(plan):
        Path("plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
        monkeypatch.setattr(sys, "argv", ["regimes", "plan.yaml", "--out", "runs"])
        main()
        return capsys.readouterr().out

    return run


def write_recipe(recipe=RECIPE):
    Path("recipe.py").write_text(recipe.replace("BACKEND", keras.config.backend()))


@pytest.mark.slow
def test_a_stopped_comparison_goes_on(compare):
    write_recipe()
    first = compare(PLAN)
    assert first.count("$ ") == 3
    table = first.splitlines()[-4:]
    assert table == [
        "|---|---|---|---|",
        "| slow | 26.0 ± 1.4 | 25.0 | 2 |",
        "| fast | 76.0 ± 0.0 | 75.0 | 1 |",
        "| majority | 50.0 | | |",
    ]
    Path("runs/slow-2/results.json").unlink()
    Path("runs/slow-2").rmdir()
    again = compare(PLAN)
    assert again.count("$ ") == 1
    assert again.splitlines()[-4:] == table


@pytest.mark.slow
def test_results_of_other_settings_are_refused_all_at_once(compare):
    write_recipe()
    compare(PLAN)
    path = Path("runs/fast-1/results.json")
    results = json.loads(path.read_text())
    path.write_text(json.dumps({**results, "versions": {"backend": "other"}}))
    # An option of the plan, and a default that the recipe did not have before.
    write_recipe(RECIPE.replace("seed: int", "n: int = 1, seed: int"))
    with pytest.raises(SystemExit) as stopped:
        compare({**PLAN, "common": {**PLAN["common"], "freeze": "embeddings"}})
    lines = stopped.value.code.splitlines()[1:]
    freeze = "freeze: expected 'embeddings', received 'backbone'"
    backend = f"backend: expected {keras.config.backend()!r}, received 'other'"
    added = "n: expected 1, received None"
    assert lines == [
        f"runs/slow-0: {freeze}; {added}",
        f"runs/slow-2: {freeze}; {added}",
        f"runs/fast-1: {backend}; {freeze}; {added}",
    ]
