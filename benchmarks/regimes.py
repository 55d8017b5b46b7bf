"""Compare fine-tuning regimes: one recipe run a regime and seed, one table at the end.

    python benchmarks/regimes.py benchmarks/rotten_tomatoes.yaml --out runs/regimes

A run whose `results.json` is there already is not repeated, so a stopped comparison
goes on where it was. The YAML file holds `recipe`, `seeds`, `common` (options of every
run) and `regimes` (a name, its options); a regime may have its own `environment`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import yaml


def options(settings):
    """Turn settings into command-line options."""
    return [part for k, v in settings.items() for part in (f"--{k}", str(v))]


def run(plan, name, regime, seed, out):
    """Run the recipe once, or read what an earlier run wrote."""
    folder = out / f"{name}-{seed}"
    if not (folder / "results.json").exists():
        regime = dict(regime)
        environment = {**os.environ, **regime.pop("environment", {})}
        settings = {**plan["common"], **regime, "seed": seed, "out": folder}
        command = [sys.executable, plan["recipe"], *options(settings)]
        print("$", " ".join(command), flush=True)
        subprocess.run(command, check=True, env=environment)
    return json.loads((folder / "results.json").read_text("utf-8"))


def row(name, results):
    """One line of the table: mean and standard deviation over the seeds, in percent."""
    accuracies = [100 * r["test"]["accuracy"] for r in results]
    f1 = statistics.mean(100 * r["test"]["macro_f1"] for r in results)
    spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    accuracy = f"{statistics.mean(accuracies):.1f} ± {spread:.1f}"
    return f"| {name} | {accuracy} | {f1:.1f} | {len(results)} |"


def main():
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/regimes"))
    arguments = parser.parse_args()
    plan = yaml.safe_load(arguments.plan.read_text("utf-8"))
    lines = ["| regime | test accuracy | macro F1 | seeds |", "|---|---|---|---|"]
    results = []
    for name, regime in plan["regimes"].items():
        seeds = regime.pop("seeds", plan["seeds"])
        results = [run(plan, name, regime, s, arguments.out) for s in seeds]
        lines.append(row(name, results))
    for baseline, scores in results[-1]["baselines"].items():
        lines.append(f"| {baseline} | {100 * scores['accuracy']:.1f} | | |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
