"""Compare fine-tuning regimes: one recipe run a regime and seed, one table at the end.

    python benchmarks/regimes.py benchmarks/rotten_tomatoes.yaml --out runs/regimes

A run whose `results.json` is there already is not repeated, so a stopped comparison
goes on where it was; one that was made with other settings or on another backend than
the plan says is an error. The YAML file holds `recipe`, `seeds`, `common` (options of
every run) and `regimes` (a name, its options); a regime may have its own `seeds` and
`environment`.
"""

import argparse
import dataclasses
import json
import os
import runpy
import statistics
import subprocess
import sys
from pathlib import Path

import keras
import yaml

from kftune.cli.recipe import read_options
from kftune.error_text import differences


@dataclasses.dataclass
class Run:
    """One run of the recipe: its folder, command-line options and environment."""

    folder: Path
    options: list
    environment: dict

    @property
    def results(self):
        """What the run wrote, or `None` if it has not ended."""
        path = self.folder / "results.json"
        return json.loads(path.read_text("utf-8")) if path.exists() else None


def read_plan(plan, out):
    """The runs of each regime by its name."""
    runs = {}
    for name, regime in plan["regimes"].items():
        settings = {**plan["common"], **regime}
        seeds = settings.pop("seeds", plan["seeds"])
        environment = settings.pop("environment", {})
        runs[name] = []
        for seed in seeds:
            folder = out / f"{name}-{seed}"
            wanted = {**settings, "seed": seed, "out": folder}
            options = [part for k, v in wanted.items() for part in option(k, v)]
            runs[name].append(Run(folder, options, environment))
    return runs


def option(name, value):
    """An option as it stands on a command line; a list becomes several values."""
    return [f"--{name}", *map(str, value if isinstance(value, list) else [value])]


def check_results(recipe, runs):
    """Refuses results of runs that were not as the plan wants them, all at once."""
    main = runpy.run_path(recipe)["main"]
    wrong = []
    for run in runs:
        if (results := run.results) is None:
            continue
        wanted = json.loads(json.dumps(read_options(main, run.options), default=str))
        wanted["backend"] = run.environment.get("KERAS_BACKEND", keras.config.backend())
        found = {**results["settings"], "backend": results["versions"]["backend"]}
        # Where the comparison lies, and by which path it was named, changes no result.
        if differing := differences(wanted, found, but_for=["out"]):
            wrong.append(f"{run.folder}: {'; '.join(differing)}")
    if wrong:
        sys.exit(
            "Expected results of the runs in the plan. Choose another --out, or delete "
            "these folders to repeat their runs:\n" + "\n".join(wrong)
        )


def finish(recipe, run):
    """Runs the recipe unless that was done; returns the results."""
    if run.results is None:
        command = [sys.executable, recipe, *run.options]
        print("$", " ".join(command), flush=True)
        environment = {**os.environ, **run.environment}
        subprocess.run(command, check=True, env=environment)
    return run.results


def finish_all(plan, out):
    """Runs what is missing; yields the name of each regime and its results."""
    runs = read_plan(plan, out)
    check_results(plan["recipe"], [run for group in runs.values() for run in group])
    for name, group in runs.items():
        yield name, [finish(plan["recipe"], run) for run in group]


def mean_and_spread(accuracies):
    """Mean and standard deviation over the seeds, in percent."""
    spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    return 100 * statistics.mean(accuracies), 100 * spread


def row(name, results):
    """One line of the table: mean and standard deviation over the seeds, in percent."""
    mean, spread = mean_and_spread([r["test"]["accuracy"] for r in results])
    f1 = statistics.mean(100 * r["test"]["macro_f1"] for r in results)
    return f"| {name} | {mean:.1f} ± {spread:.1f} | {f1:.1f} | {len(results)} |"


def read_arguments(description, out):
    """The plan of the command line, and the folder."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("--out", type=Path, default=Path(out))
    arguments = parser.parse_args()
    return yaml.safe_load(arguments.plan.read_text("utf-8")), arguments.out


def main():
    """Run what is missing and print the table."""
    plan, out = read_arguments(__doc__, "runs/regimes")
    lines = ["| regime | test accuracy | macro F1 | seeds |", "|---|---|---|---|"]
    results = []
    for name, results in finish_all(plan, out):
        lines.append(row(name, results))
    for baseline, scores in results[-1]["baselines"].items():
        lines.append(f"| {baseline} | {100 * scores['accuracy']:.1f} | | |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
