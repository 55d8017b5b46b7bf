"""Figures of a report as SVG: curves of several runs, attention within a text."""

import io
import warnings

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kftune.evaluation.plots import FAINT, TEXT

_SVG = {"svg.fonttype": "none", "svg.hashsalt": "kftune"}


def curve_metrics(histories):
    """Lists what several runs logged, the loss first.

    Args:
        histories: `dict` of run to `dict` of log entry to values by epoch.

    Returns:
        List of `str`, without `val_` and without learning rates.
    """
    names = {name for history in histories.values() for name in history}
    names = {name.removeprefix("val_") for name in names}
    kept = [name for name in names if not name.startswith("learning_rate")]
    return sorted(kept, key=lambda name: (name != "loss", name))


def draw_curves(histories, metric):
    """Draws one metric of several runs: validation solid, training dashed.

    Args:
        histories: `dict` of run to `dict` of log entry to values by epoch.
        metric: `str`, of `curve_metrics`.

    Returns:
        `str`, an SVG file.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    handles, labels = [], []
    for number, (run, history) in enumerate(histories.items()):
        for name, kind, line in (
            (f"val_{metric}", "validation", "-"),
            (metric, "training", "--"),
        ):
            if values := history.get(name):
                epochs = np.arange(1, 1 + len(values))
                style = {"color": f"C{number}", "linestyle": line, "ms": 3}
                handles += axes.plot(epochs, values, marker="o", **style)
                labels.append(f"{run}, {kind}")
    axes.set_xlabel("epoch", color=TEXT)
    axes.set_ylabel(metric.replace("_", " "), color=TEXT, parse_math=False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    legend = figure.legend(
        handles, labels, loc="outside lower center", ncols=2, edgecolor="none"
    )
    for text in legend.get_texts():
        text.set(parse_math=False, color=TEXT, fontsize=9)
    return _svg(figure)


def draw_attention(tokens, weights):
    """Draws how much each token of a text attends to each.

    Args:
        tokens: sequence of T `str`.
        weights: float array `(T, T)`, 0 to 1; each row is of one token.

    Returns:
        `str`, an SVG file.
    """
    side = 1.6 + 0.24 * len(tokens)
    figure = Figure(figsize=(side + 0.9, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(weights, cmap="Blues", vmin=0)
    ticks = range(len(tokens))
    style = {"color": TEXT, "fontsize": 9, "parse_math": False}
    axes.set_xticks(ticks, tokens, rotation=90, **style)
    axes.set_yticks(ticks, tokens, **style)
    axes.set_xlabel("is attended to", color=TEXT)
    axes.set_ylabel("attends", color=TEXT)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.8).outline.set_visible(False)
    return _svg(figure)


def _svg(figure):
    """The same file each time: no date, no random ids."""
    file = io.StringIO()
    with matplotlib.rc_context(_SVG), warnings.catch_warnings():
        # The browser has other fonts than matplotlib, which measures only.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
