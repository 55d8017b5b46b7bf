"""Search for good settings of recipes/classify_reviews.py, by validation accuracy.

    python recipes/search.py
    python recipes/search.py --sampler random --trials 40 --workers 2
    python recipes/search.py --space my_space.yaml --sampler grid --out runs/my_search
    python recipes/search.py --recipe my_training.py --space b.yaml --monitor val_bleu
    python recipes/classify_reviews.py --config runs/search/best.yaml \
        --out runs/search/best

With the defaults: 20 trials of GPT-2 (`gpt2_tiny_en`) on film reviews, the first with
the recipe's own settings, each as long as the recipe takes, less where it is pruned: an
hour or more on 2 cores. The test split is not scored. The last command trains with the
best settings and scores it, once. Under --out: results.json, trials.csv, best.yaml,
importance.png, slices.png, and trials/, a run folder each. A search that was stopped
goes on; several machines that share --out search together. Needs the extra `search`.
"""

import shlex
from pathlib import Path
from typing import Literal

import kftune
from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe

RECIPES = Path(__file__).parent


def main(
    *,
    recipe: Path = RECIPES / "classify_reviews.py",
    space: Path = RECIPES / "configs/search_reviews.yaml",
    sampler: Literal["grid", "random", "tpe"] = "tpe",
    trials: types.PositiveInt = 20,
    pruner: Literal["median", "halving", "nothing"] = "median",
    monitor: str = "val_accuracy",
    mode: Literal["min", "max"] = "max",
    workers: types.PositiveInt = 1,
    seed: types.Seed = 0,
    out: Path = Path("runs/search"),
):
    """Read the space, search, draw.

    Args:
        recipe: script whose function `main` trains with the settings.
        space: YAML file of settings of the recipe: lists, ranges, values.
        sampler: how settings are chosen.
        trials: how many, of all workers and restarts; of a grid the first ones.
        pruner: which trials are stopped early.
        monitor: what is searched for: an entry of history.csv.
        mode: which end of it is good.
        workers: trials at once on this machine.
        seed: of the choice of settings; that of the trainings is in the space.
        out: folder of the study.
    """
    settings = dict(locals())
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
    kftune.evaluation.plot_slices(result.study, out / "slices.png", monitor=monitor)
    if result.importance:  # not with a handful of trials
        kftune.evaluation.plot_importance(
            result.study, out / "importance.png", monitor=monitor
        )
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
    following = ["python", recipe, "--config", out / "best.yaml", "--out", out / "best"]
    print(f"Next: {shlex.join(map(str, following))}")


if __name__ == "__main__":
    run_recipe(main)
