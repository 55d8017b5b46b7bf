"""Compare fine-tuning regimes by the number of labels: a table, and a plot of it.

    python benchmarks/few_shot.py benchmarks/few_shot.yaml --out runs/few_shot

A plan as for benchmarks/regimes.py with one entry more, `examples`: labelled texts a
class, 0 for all. Each regime is trained on each number of them with each seed, in a run
of its own, and goes on where it was stopped. The seed chooses the texts, and those of a
smaller number are among those of a larger one; the texts that choose the best epoch
and those that are scored are the same in all runs, by the recipe's `split_seed`.
--out then holds table.md and few_shot.png as well.
"""

from matplotlib.figure import Figure
from regimes import finish_all, mean_and_spread, read_arguments

from kftune.evaluation.plots import FAINT, TEXT, save_figure
from kftune.files import write_aside

BASELINE = "naive Bayes"


def by_examples(plan):
    """The plan with a regime for each number of examples, and the pairs by its name."""
    regimes, cells = {}, {}
    for examples in plan["examples"]:
        for name, regime in plan["regimes"].items():
            cell = f"{name}, {examples or 'all'}"
            regimes[cell] = {**regime, "examples": examples}
            cells[cell] = (name, examples)
    return {**plan, "regimes": regimes}, cells


def collect(plan, out):
    """Runs what is missing: accuracies of the seeds by regime by number of examples."""
    plan, cells = by_examples(plan)
    accuracies = {BASELINE: {}}
    for cell, results in finish_all(plan, out):
        name, examples = cells[cell]
        tested = [result["test"]["accuracy"] for result in results]
        accuracies.setdefault(name, {})[examples] = tested
        # The seed decides about its texts, so it is the same in all regimes.
        baselines = [r["baselines"]["naive_bayes"]["accuracy"] for r in results]
        accuracies[BASELINE][examples] = baselines
    return accuracies


def table(accuracies):
    """Mean and standard deviation in percent, a line a regime, in Markdown."""
    numbers = list(accuracies[BASELINE])
    lines = [
        f"| labels a class | {' | '.join(str(n or 'all') for n in numbers)} |",
        "|---" * (1 + len(numbers)) + "|",
    ]
    for name, by_number in accuracies.items():
        scores = (mean_and_spread(by_number[number]) for number in numbers)
        cells = (f"{mean:.1f} ± {spread:.1f}" for mean, spread in scores)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(accuracies, path):
    """Draws a line a regime, with bars of one standard deviation to both sides."""
    numbers = list(accuracies[BASELINE])
    figure = Figure(figsize=(8.4, 4.8), layout="constrained")
    axes = figure.subplots()
    for i, (name, by_number) in enumerate(accuracies.items()):
        scores = [mean_and_spread(by_number[number]) for number in numbers]
        means, spreads = zip(*scores, strict=True)
        # Side by side, so that no bar hides another.
        places = [j + 0.04 * (i - len(accuracies) / 2) for j in range(len(numbers))]
        style = "--" if name == BASELINE else "-"
        axes.errorbar(places, means, spreads, linestyle=style, capsize=2, label=name)
    axes.set_xticks(range(len(numbers)), [str(n or "all") for n in numbers])
    axes.set_xlabel("labels a class", color=TEXT)
    axes.set_ylabel("test accuracy, %", color=TEXT)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right center", frameon=False, labelcolor=TEXT)
    save_figure(figure, path)


def main():
    """Run what is missing, print and write the table, draw it."""
    plan, out = read_arguments(__doc__, "runs/few_shot")
    accuracies = collect(plan, out)
    text = table(accuracies)
    with write_aside(out / "table.md") as aside:
        aside.write_text(text + "\n", "utf-8")
    plot(accuracies, out / "few_shot.png")
    print(text)


if __name__ == "__main__":
    main()
