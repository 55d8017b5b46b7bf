import warnings

import matplotlib
import numpy as np
import optuna
import pytest

from kftune.evaluation import plot_importance, plot_slices, search_plots


@pytest.fixture(scope="module")
def study():
    """Six trials whose values follow from the rate alone."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    distributions = {
        "rate": optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True),
        "freeze": optuna.distributions.CategoricalDistribution(["nothing", "backbone"]),
    }
    for number in range(6):
        params = {"rate": 10.0 ** (number % 3 - 4), "freeze": "nothing"}
        params["freeze"] = ["nothing", "backbone"][number // 3]
        trial = optuna.create_trial(
            params=params, distributions=distributions, value=float(number % 3)
        )
        study.add_trial(trial)
    return study


@pytest.fixture
def figures(monkeypatch):
    """The figures that are drawn, to be looked into."""
    drawn, save = [], search_plots.save_figure

    def keep(figure, path):
        drawn.append(figure)
        save(figure, path)

    monkeypatch.setattr(search_plots, "save_figure", keep)
    return drawn


def test_slices_show_trials_by_each_setting(study, tmp_path, figures):
    plot_slices(study, tmp_path / "slices.png", monitor="val_accuracy")
    freeze, rate, _ = figures[0].axes  # the last one is the bar of colours
    assert [freeze.get_xlabel(), rate.get_xlabel()] == ["freeze", "rate"]
    assert freeze.get_ylabel() == "val_accuracy"
    assert rate.get_xscale() == "log"
    figures[0].canvas.draw()
    written = {text.get_text() for text in rate.get_xticklabels()}
    assert {"0.0001", "0.001", "0.01"} <= written
    assert not any(text.get_text() for text in rate.get_xticklabels(minor=True))
    dots = np.sort(rate.collections[0].get_offsets(), axis=0)
    wanted = np.repeat([[1e-4, 0], [1e-3, 1], [1e-2, 2]], 2, axis=0)
    np.testing.assert_allclose(dots, wanted)
    assert (tmp_path / "slices.png").read_bytes().startswith(b"\x89PNG")


def test_importance_is_a_bar_a_setting(study, tmp_path, figures):
    plot_importance(study, tmp_path / "importance.png")
    (axes,) = figures[0].axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    shares = dict(zip(names, [bar.get_width() for bar in axes.patches], strict=True))
    assert shares["rate"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)
    assert (tmp_path / "importance.png").exists()


def test_plots_leave_no_style_and_no_warning_behind(study, tmp_path):
    before = dict(matplotlib.rcParams)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot_slices(study, tmp_path / "slices.png")
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.pyplot.get_fignums() == []
