"""Figures of a run: learning curves, range test, confusion matrix, changes."""

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from kftune.files import write_aside

TRAINING, VALIDATION = "#3b76b4", "#d1611f"
TEXT, FAINT = "#30343b", "#d9dce1"
# Beyond this many classes the numbers in the cells could not be read.
MOST_NUMBERED_CLASSES = 12


def plot_curves(
    history, path, *, title="Learning curves", monitor="val_loss", mode="min"
):
    """Draws training and validation values of each metric by epoch.

    Args:
        history: `dict` of metric name → values by epoch, as in
            `model.fit(...).history`; `"val_loss"` belongs to `"loss"`. Learning rates
            are left out.
        path: `str` or `Path` of the PNG file.
        title: `str`.
        monitor: `str`. The metric whose best epoch is marked; none is if the history
            does not have it.
        mode: `"min"` or `"max"`: which end of it is good.

    Raises:
        ValueError: if there is no metric or no epoch, or `mode` is neither `"min"` nor
            `"max"`.

    Example:
    ```python
    history = model.fit(x, y, validation_data=validation, epochs=5).history
    plot_curves(history, "curves.png", title="Film reviews")
    ```
    """
    metrics = [
        name
        for name in sorted(history, key=lambda name: name != "loss")
        if not name.startswith("learning_rate")
        and name != "epoch"
        and name.removeprefix("val_") not in history.keys() - {name}
    ]
    if not metrics or not len(history[metrics[0]]):
        raise ValueError(
            "Expected at least one metric and one epoch. Received: "
            f"{ {name: len(values) for name, values in history.items()} }"
        )
    best_epoch = _best_epoch(history.get(monitor, ()), mode)
    figure = Figure(figsize=(5 * len(metrics), 3.8), layout="constrained")
    figure.suptitle(title, color=TEXT, fontsize=13, parse_math=False)
    for axes, metric in zip(
        figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True
    ):
        _draw_metric(axes, history, metric, best_epoch)
    save_figure(figure, path)


def plot_confusion(confusion, names, path, *, title="Confusion matrix"):
    """Draws a confusion matrix, each row in percent of its true class.

    Up to 12 classes have their numbers in the cells; with more, colour alone tells.

    Args:
        confusion: int array of shape `(C, C)`, true classes by predicted classes, as
            in `ClassificationScores.confusion`.
        names: sequence of C `str`.
        path: `str` or `Path` of the PNG file.
        title: `str`.

    Raises:
        ValueError: if the matrix is not of shape `(C, C)`.

    Example:
    ```python
    plot_confusion(scores.confusion, scores.names, "confusion.png")
    ```
    """
    confusion = np.asarray(confusion)
    if confusion.shape != (len(names), len(names)):
        raise ValueError(
            f"Expected a matrix of {len(names)} by {len(names)} classes, one for each "
            f"name. Received: shape {confusion.shape}"
        )
    numbered = len(names) <= MOST_NUMBERED_CLASSES
    side = 2.6 + (0.85 if numbered else 0.135) * len(names)
    figure = Figure(figsize=(side + 0.9, side), layout="constrained")
    axes = figure.subplots()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    # Without numbers, a power below 1 keeps small shares visible.
    norm = PowerNorm(1 if numbered else 0.5, vmin=0, vmax=1)
    image = axes.imshow(shares, cmap="Blues", norm=norm)
    if numbered:
        _number_cells(axes, confusion, shares)
    _label_classes(axes, names, font_size=10 if numbered else 6.5)
    axes.set_title(title, color=TEXT, fontsize=13, pad=12, parse_math=False)
    bar = figure.colorbar(image, shrink=0.6, aspect=25, format=PercentFormatter(1, 0))
    bar.set_label("share of the true class", color=TEXT)
    bar.outline.set_visible(False)
    save_figure(figure, path)


def plot_changes(changes, path, *, title="Changes", unit="BLEU", unsure=()):
    """Draws how far systems are from a baseline, on one test set or two.

    A row a system, a bar a test set: to the right of the middle line it is better than
    the baseline, to the left worse.

    Args:
        changes: `dict` of system → `dict` of test set → `float`, its score less that of
            the baseline. All have the same test sets.
        path: `str` or `Path` of the PNG file.
        title: `str`.
        unit: `str`. What the scores are in.
        unsure: pairs `(system, test set)` whose bars are drawn pale: chance may have
            made the difference.

    Raises:
        ValueError: if there is no system, or if they have other test sets.

    Example:
    ```python
    changes = {"lora": {"in domain": 9.1, "general": -0.4}}
    plot_changes(changes, "changes.png", unsure=[("lora", "general")])
    ```
    """
    tests = list(next(iter(changes.values()), ()))
    if not 1 <= len(tests) <= 2 or any(list(c) != tests for c in changes.values()):
        raise ValueError(
            "Expected one test set or two, the same for all systems. Received: "
            f"{ {name: list(values) for name, values in changes.items()} }"
        )
    figure = Figure(figsize=(8.4, 1.7 + 0.75 * len(changes)), layout="constrained")
    axes = figure.subplots()
    height = 0.7 / len(tests)
    for number, (test, color) in enumerate(
        zip(tests, (TRAINING, VALIDATION), strict=False)
    ):
        rows = np.arange(len(changes)) + (number - (len(tests) - 1) / 2) * height
        values = [values[test] for values in changes.values()]
        bars = axes.barh(rows, values, 0.92 * height, color=color, label=test)
        axes.bar_label(bars, fmt="%+.1f", padding=4, color=TEXT, fontsize=9)
        for bar, system in zip(bars, changes, strict=True):
            bar.set_alpha(0.35 if (system, test) in set(unsure) else 1.0)
    _label_changes(axes, list(changes), unit, pale=bool(unsure))
    axes.set_title(title, color=TEXT, fontsize=13, pad=12, parse_math=False)
    save_figure(figure, path)


def plot_range_test(test, path, *, title="Learning-rate range test"):
    """Draws the losses of a range test over the learning rate, and its suggestion.

    Losses that diverge run out of the figure.

    Args:
        test: `kftune.training.RangeTest`.
        path: `str` or `Path` of the PNG file.
        title: `str`.

    Example:
    ```python
    test = kftune.training.learning_rate_range_test(task, batches["train"])
    plot_range_test(test, "range_test.png", title="Film reviews")
    ```
    """
    figure = Figure(figsize=(6, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.plot(test.rates, test.losses, color=TRAINING, alpha=0.3, label="loss")
    axes.plot(test.rates, test.smoothed, color=TRAINING, label="smoothed")
    if test.suggestion is not None:
        axes.axvline(test.suggestion, color=VALIDATION, linestyle="--")
        suggestion = f"suggestion {test.suggestion:.1e}"
        axes.set_title(suggestion, loc="right", color=VALIDATION, fontsize=10)
    axes.set_xscale("log")
    _leave_out_divergence(axes, np.asarray(test.losses), np.asarray(test.smoothed))
    axes.set_xlabel("learning rate", color=TEXT)
    axes.set_ylabel("loss", color=TEXT)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(framealpha=0.9, edgecolor="none", labelcolor=TEXT)
    axes.set_title(title, loc="left", color=TEXT, fontsize=13, parse_math=False)
    save_figure(figure, path)


def _leave_out_divergence(axes, losses, smoothed):
    """Ends the axis so far above where the losses began as the lowest lies below."""
    if not np.isfinite(smoothed).any():
        return
    lowest = losses.min()
    highest = np.nanmax(smoothed[: np.nanargmin(smoothed) + 1])
    top = min(losses.max(), 2 * highest - lowest)
    if top > lowest:
        margin = 0.05 * (top - lowest)
        axes.set_ylim(lowest - margin, top + margin)


def _label_changes(axes, systems, unit, pale):
    """Names of the systems, the line of the baseline and the legend."""
    axes.axvline(0, color=TEXT, linewidth=1)
    axes.set_yticks(range(len(systems)), systems, color=TEXT, parse_math=False)
    axes.invert_yaxis()
    note = "   (pale: chance may have made it)" if pale else ""
    axes.set_xlabel(f"change of {unit}{note}", color=TEXT)
    axes.margins(x=0.15)
    axes.grid(axis="x", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    legend = axes.legend(framealpha=0.9, edgecolor="none", labelcolor=TEXT)
    for handle in legend.legend_handles:  # that of a pale bar would be pale
        handle.set_alpha(1.0)


def _best_epoch(values, mode):
    """Number of the best epoch, from 1, or `None` without a finite value."""
    if mode not in ("min", "max"):
        raise ValueError(f"Expected mode 'min' or 'max'. Received: {mode!r}")
    if not np.isfinite(values).any():
        return None
    best = np.nanargmin if mode == "min" else np.nanargmax
    return 1 + int(best(values))


def _draw_metric(axes, history, metric, best_epoch):
    """One panel: training and validation curve, and the best epoch."""
    for name, label, color in (
        (metric.removeprefix("val_"), "training", TRAINING),
        (f"val_{metric.removeprefix('val_')}", "validation", VALIDATION),
    ):
        if name in history:
            epochs = np.arange(1, 1 + len(history[name]))
            axes.plot(epochs, history[name], "o-", color=color, label=label, ms=4)
    if best_epoch is not None:
        _mark_best(axes, history.get(f"val_{metric}", history[metric]), best_epoch)
    axes.set_xlabel("epoch", color=TEXT)
    axes.set_ylabel(metric.replace("_", " "), color=TEXT)
    axes.set_xlim(0.5, len(history[metric]) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.margins(y=0.15)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(framealpha=0.9, edgecolor="none", labelcolor=TEXT)


def _mark_best(axes, values, epoch):
    """A line and a ring at the best epoch, and its value above the panel."""
    value = values[epoch - 1]
    axes.axvline(epoch, color=TEXT, linewidth=0.8, linestyle=":", zorder=0)
    axes.plot(epoch, value, "o", ms=10, mfc="none", mec=TEXT)
    axes.set_title(
        f"best epoch {epoch}: {value:.3f}", loc="right", color=TEXT, fontsize=10
    )


def _number_cells(axes, confusion, shares):
    """Percent and rows in each cell, light on dark."""
    for (row, column), share in np.ndenumerate(shares):
        axes.text(
            column,
            row,
            f"{share:.1%}\n{confusion[row, column]}",
            ha="center",
            va="center",
            color="white" if share > 0.55 else TEXT,
            fontsize=10,
        )


def _label_classes(axes, names, font_size):
    """Names on both axes, upright where they would overlap."""
    names = [_shortened(name) for name in names]
    upright = max(map(len, names)) > 8
    ticks = range(len(names))
    style = {"fontsize": font_size, "color": TEXT, "parse_math": False}
    axes.set_xticks(ticks, names, rotation=90 if upright else 0, **style)
    axes.set_yticks(ticks, names, **style)
    axes.set_xlabel("predicted class", color=TEXT)
    axes.set_ylabel("true class", color=TEXT)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _shortened(name, most=40):
    """A name on one line, cut if it is long."""
    name = " ".join(str(name).split())
    return name if len(name) <= most else name[: most - 1] + "…"


def save_figure(figure, path):
    """Writes a figure as PNG, whole or not at all.

    Args:
        figure: `matplotlib.figure.Figure`.
        path: `str` or `Path` of the file.
    """
    with write_aside(path) as aside:
        figure.savefig(aside, format="png", dpi=150, facecolor="white")
