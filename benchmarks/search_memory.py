"""Memory of a search over many trials: that of the search, and that of each trial.

    python benchmarks/search_memory.py
    python benchmarks/search_memory.py --trials 30 --out runs/search_memory

Each trial trains a small network and keeps 100 MB that nothing frees, as an object held
in a module does. The search's own process must not grow by that; nor must later trials
need more than the first. Written under --out: memory.json, and what `search` writes.
"""

import json
from pathlib import Path

import keras
import numpy as np

from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe
from kftune.files import write_aside
from kftune.peak_memory import peak_memory
from kftune.training import TrialCallback, search

KEPT = []


def train(*, width):
    """Train a network of a width, and leave memory behind."""
    KEPT.append(np.ones(100 * 2**20 // 8))
    model = keras.Sequential([keras.layers.Dense(width), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((64, 16), "float32")
    callbacks = [TrialCallback()]
    model.fit(x, x[:, :1], epochs=2, verbose=0, callbacks=callbacks)


def main(*, trials: types.PositiveInt = 30, out: Path = Path("runs/search_memory")):
    """Search in two parts, and compare what the process held after each.

    Args:
        trials: how many in all; a tenth of them, or one, come first.
        out: folder of the study, which must not hold one.
    """
    space = {"width": {"low": 8, "high": 64}}
    peaks = {}
    for n_trials in (max(trials // 10, 1), trials):
        result = search(
            train,
            space,
            out,
            n_trials=n_trials,
            monitor="loss",
            mode="min",
            sampler="tpe",
        )
        peaks[f"search_mb_after_{n_trials}"] = round(peak_memory() / 2**20)
    held = [row["peak_mb"] for row in result.trials]
    report = {**peaks, "trial_mb_first": held[0], "trial_mb_most": max(held)}
    with write_aside(out / "memory.json") as aside:
        aside.write_text(json.dumps({**report, "trial_mb": held}, indent=2) + "\n")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    run_recipe(main)
