"""Figures of a search: which settings mattered, and which values were good."""

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from kftune.evaluation.plots import FAINT, TEXT, TRAINING, VALIDATION, save_figure

_PANELS_A_ROW = 3


def plot_importance(importance, path, *, title="Importance of the settings"):
    """Draws how much of the variance between trials each setting explains.

    Args:
        importance: `dict` of setting to `float` from 0 to 1, as in
            `SearchResult.importance`; at least one.
        path: `str` or `Path` of the PNG file.
        title: `str`.

    Raises:
        ValueError: if there is no setting.

    Example:
    ```python
    result = kftune.training.search(train, space, "runs/search", n_trials=20)
    plot_importance(result.importance, "importance.png")
    ```
    """
    if not importance:
        raise ValueError(
            "Expected the importance of one setting at least. Received: none. It needs "
            "4 complete trials that differ."
        )
    figure = Figure(figsize=(6.4, 1.4 + 0.45 * len(importance)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(list(importance), list(importance.values()), color=TRAINING)
    axes.bar_label(bars, fmt="{:.0%}", padding=4, color=TEXT)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
    axes.set_xlabel("share of the variance between complete trials", color=TEXT)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(title, color=TEXT, fontsize=13, parse_math=False)
    save_figure(figure, path)


def plot_slices(trials, space, path, *, monitor="value", mode="max", title="Trials"):
    """Draws what trials came to by the value of each searched setting, a panel each.

    Complete trials are dots, pruned ones, at their last epoch, pale; the best has a
    ring.

    Args:
        trials: list of `dict` with `number`, `state`, `value` and the settings, as in
            `SearchResult.trials`. Those without a value are left out.
        space: `dict`, the search space: which settings are drawn, and how.
        path: `str` or `Path` of the PNG file.
        monitor: `str`, what the value is.
        mode: `"min"` or `"max"`: which end of it is good.
        title: `str`.

    Raises:
        ValueError: if no trial is complete, or `mode` is neither `"min"` nor `"max"`.

    Example:
    ```python
    result = kftune.training.search(train, space, "runs/search", n_trials=20)
    plot_slices(result.trials, space, "slices.png", monitor="val_accuracy")
    ```
    """
    if mode not in ("min", "max"):
        raise ValueError(f"Expected mode 'min' or 'max'. Received: {mode!r}")
    complete = [trial for trial in trials if trial["state"] == "complete"]
    pruned = [trial for trial in trials if trial["state"] == "pruned"]
    if not complete:
        raise ValueError(
            "Expected one complete trial at least. Received: "
            f"{[trial['state'] for trial in trials]}"
        )
    best = {"min": min, "max": max}[mode](complete, key=lambda trial: trial["value"])
    shown = {k: v for k, v in space.items() if isinstance(v, list | dict)}
    rows = -(-len(shown) // _PANELS_A_ROW)
    columns = min(len(shown), _PANELS_A_ROW)
    size = (0.6 + 3.6 * columns, 0.6 + 3.0 * rows)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(title, color=TEXT, fontsize=13, parse_math=False)
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True).flat
    for axes, (name, values) in zip(panels, shown.items(), strict=False):
        place = _places(axes, values)
        for group, alpha in ((pruned, 0.3), (complete, 0.9)):
            axes.plot(
                [place(trial[name]) for trial in group],
                [trial["value"] for trial in group],
                "o",
                color=TRAINING,
                alpha=alpha,
                markeredgewidth=0,
            )
        ring = {"ms": 11, "mfc": "none", "mec": VALIDATION, "mew": 1.6}
        axes.plot([place(best[name])], [best["value"]], "o", **ring)
        _label_panel(axes, name, monitor)
    for axes in list(panels):  # what is left of the last row
        axes.set_visible(False)
    save_figure(figure, path)


def _places(axes, values):
    """Sets up the axis of a setting; gives the function from a value to its place."""
    if isinstance(values, list):
        axes.set_xticks(range(len(values)), map(str, values), parse_math=False)
        axes.set_xlim(-0.5, len(values) - 0.5)
        if max(len(str(value)) for value in values) * len(values) > 24:
            axes.tick_params(axis="x", rotation=30)
        return values.index
    if values.get("log"):
        axes.set_xscale("log")
    return float


def _label_panel(axes, name, monitor):
    """Names and grid of a panel."""
    axes.set_xlabel(name, color=TEXT, parse_math=False)
    if axes.get_subplotspec().is_first_col():
        axes.set_ylabel(monitor.replace("_", " "), color=TEXT, parse_math=False)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
