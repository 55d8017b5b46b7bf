"""Figure of a classifier that may refuse."""

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from kftune.evaluation.plots import FAINT, TEXT, save_figure
from kftune.evaluation.selective_scores import coverage_curve, score_answered


def plot_coverage(answers, threshold, path, *, title="Coverage and accuracy"):
    """Draws accuracy over coverage, and where a threshold stands on the curves.

    Args:
        answers: `dict` of name, such as that of a split, to the pair `confidences` and
            `right` of `coverage_curve`.
        threshold: `float`.
        path: `str` or `Path` of the PNG file.
        title: `str`.

    Raises:
        ValueError: as `coverage_curve`.

    Example:
    ```python
    answers = {"validation": ([0.9, 0.8, 0.3], [True, True, False])}
    plot_coverage(answers, 0.5, "coverage.png")
    ```
    """
    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axes = figure.subplots()
    for number, (name, (confidences, right)) in enumerate(answers.items()):
        _, coverages, accuracies = coverage_curve(confidences, right)
        axes.plot(coverages, accuracies, color=f"C{number}", label=name)
        there = score_answered(confidences, right, threshold)
        axes.plot(there.coverage, there.accuracy, "o", color=f"C{number}")
    axes.set_xlabel("answered", color=TEXT)
    axes.set_ylabel("right among the answered", color=TEXT)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, 0))
    axes.set_xlim(0, 1)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    legend = axes.legend(framealpha=0.9, edgecolor="none", labelcolor=TEXT)
    for text in legend.get_texts():
        text.set_parse_math(False)
    axes.set_title(title, color=TEXT, fontsize=13, parse_math=False)
    axes.set_title(f"dots: threshold {threshold:.2f}", loc="right", fontsize=9)
    save_figure(figure, path)
