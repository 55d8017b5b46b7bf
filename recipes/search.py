"""Search for good settings of recipes/classify_reviews.py, by validation accuracy.

    python recipes/search.py
    python recipes/search.py --sampler random --trials 40 --workers 2
    python recipes/search.py --space my_space.yaml --sampler grid --out runs/my_search
    python recipes/classify_reviews.py --config runs/search/best.yaml

With the defaults: 20 trials of GPT-2 (`gpt2_tiny_en`) on film reviews, each as long as
the recipe takes, less where it is pruned: an hour or more on 2 cores. The test split is
not scored. The last command trains with the best settings and scores it, once. Under
--out: results.json, trials.csv, best.yaml, importance.png, slices.png, and trials/, a
run folder each. A search that was stopped goes on; several machines that share --out
search together.
"""

from pathlib import Path
from typing import Literal

import kftune
from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe

RECIPES = Path(__file__).parent


def main(
    *,
    space: Path = RECIPES / "configs/search_reviews.yaml",
    sampler: Literal["grid", "random", "tpe"] = "tpe",
    trials: int | None = None,
    pruner: Literal["median", "halving", "nothing"] = "median",
    monitor: str = "val_accuracy",
    mode: Literal["min", "max"] = "max",
    workers: types.PositiveInt = 1,
    seed: types.Seed = 0,
    out: Path = Path("runs/search"),
):
    """Read the space, search, draw.

    Args:
        space: YAML file of settings of classify_reviews.py: lists, ranges, values.
        sampler: how settings are chosen.
        trials: how many, of all workers and restarts; nothing means 20, or all points
            of a grid.
        pruner: which trials are stopped early.
        monitor: what is searched for: an entry of history.csv.
        mode: which end of it is good.
        workers: trials at once on this machine.
        seed: of the choice of settings; that of the trainings is in the space.
        out: folder of the study.
    """
    settings = dict(locals())
    if trials is None and sampler != "grid":
        trials = 20
    recipe = RECIPES / "classify_reviews.py"
    values = kftune.training.read_space(space)
    result = kftune.training.search(
        recipe,
        values,
        out,
        n_trials=trials,
        sampler=sampler,
        pruner=pruner,
        monitor=monitor,
        mode=mode,
        workers=workers,
        seed=seed,
    )
    plot(out, result, values, monitor, mode)
    kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        space=values,
        best=result.best,
        trial=result.number,
        value=result.value,
        importance=result.importance,
        trials=result.trials,
    )
    print(f"Trial {result.number} is the best: {monitor} {result.value:.4f}.")
    print(f"Next: python {recipe} --config {out / 'best.yaml'}")


def plot(out, result, space, monitor, mode):
    """Draw what the trials came to, and which settings mattered."""
    kftune.evaluation.plot_slices(
        result.trials, space, out / "slices.png", monitor=monitor, mode=mode
    )
    if result.importance:  # not with a handful of trials
        kftune.evaluation.plot_importance(result.importance, out / "importance.png")


if __name__ == "__main__":
    run_recipe(main)
