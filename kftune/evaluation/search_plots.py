"""Optuna's figures of a search: which settings mattered, and which values were good."""

import warnings

import matplotlib
import numpy as np
from matplotlib import ticker

from kftune.evaluation.plots import save_figure


def plot_slices(study, path, *, monitor="value"):
    """Draws what complete trials came to by the value of each setting.

    The later a trial, the darker is its dot.

    Args:
        study: `optuna.Study` with a complete trial, as in `SearchResult.study`.
        path: `str` or `Path` of the PNG file.
        monitor: `str`, what the value of a trial is.

    Example:
    ```python
    result = kftune.training.search(train, space, "runs/search", n_trials=20)
    plot_slices(result.study, "slices.png", monitor="val_accuracy")
    ```
    """
    _draw("plot_slice", study, path, target_name=monitor)


def plot_importance(study, path, *, monitor="value"):
    """Draws how much of the variance between complete trials each setting explains.

    Args:
        study: `optuna.Study` with several complete trials that differ: where
            `SearchResult.importance` holds something, which it shows.
        path: `str` or `Path` of the PNG file.
        monitor: `str`, what the value of a trial is.

    Example:
    ```python
    result = kftune.training.search(train, space, "runs/search", n_trials=20)
    plot_importance(result.study, "importance.png", monitor="val_accuracy")
    ```
    """
    import optuna  # an extra; whoever has a study has it

    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    _draw(
        "plot_param_importances", study, path, evaluator=evaluator, target_name=monitor
    )


def _draw(name, study, path, **options):
    """Draws one of Optuna's plots without the style that it would leave behind."""
    import optuna
    from matplotlib import pyplot  # Optuna draws with it; the other plots do not

    with matplotlib.rc_context({"figure.constrained_layout.use": True}):
        with warnings.catch_warnings():
            category = optuna.exceptions.ExperimentalWarning
            warnings.simplefilter("ignore", category)
            drawn = getattr(optuna.visualization.matplotlib, name)(study, **options)
        panels = np.ravel(drawn)
        for axes in panels:
            axes.tick_params(axis="x", rotation=30)  # long names stand side by side
            if axes.get_xscale() == "log":  # less than a decade, often
                axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
                axes.xaxis.set_major_formatter("{x:g}")
                axes.xaxis.set_minor_formatter(ticker.NullFormatter())
        save_figure(panels[0].figure, path)
        pyplot.close(panels[0].figure)
