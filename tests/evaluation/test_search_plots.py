import numpy as np
import pytest
from matplotlib.figure import Figure

from kftune.evaluation import search_plots
from kftune.evaluation.search_plots import plot_importance, plot_slices

SPACE = {
    "rate": {"low": 1e-4, "high": 1e-1, "log": True},
    "dropout": {"low": 0.0, "high": 0.3},
    "epochs": 3,
    "freeze": ["nothing", "backbone"],
    "width": [8],
}


def trial(number, state, value, settings):
    rate, dropout, freeze = settings
    settings = {"rate": rate, "dropout": dropout, "freeze": freeze, "width": 8}
    return {"number": number, "state": state, "value": value, **settings}


TRIALS = [
    trial(0, "complete", 0.7, (1e-3, 0.1, "nothing")),
    trial(1, "pruned", 0.4, (1e-2, 0.3, "backbone")),
    trial(2, "failed", None, (9e-2, 0.2, "backbone")),
    trial(3, "complete", 0.9, (1e-4, 0.0, "backbone")),
]


@pytest.fixture
def figures(monkeypatch):
    """The figures that are drawn, to be looked into."""
    drawn = []

    class Kept(Figure):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            drawn.append(self)

    monkeypatch.setattr(search_plots, "Figure", Kept)
    return drawn


def points(axes, line):
    return list(zip(*(np.asarray(d) for d in axes.lines[line].get_data()), strict=True))


def test_slices_show_trials_by_each_setting(tmp_path, figures):
    plot_slices(TRIALS, SPACE, tmp_path / "slices.png", monitor="val_accuracy")
    panels = [axes for axes in figures[0].axes if axes.get_visible()]
    assert [axes.get_xlabel() for axes in panels] == [
        "rate",
        "dropout",
        "freeze",
        "width",
    ]
    assert [axes.get_ylabel() for axes in panels] == [
        "val accuracy",
        "",
        "",
        "val accuracy",
    ]
    rate, dropout, freeze, _ = panels
    assert [rate.get_xscale(), dropout.get_xscale()] == ["log", "linear"]
    assert points(rate, 0) == [(1e-2, 0.4)]  # pruned
    assert points(rate, 1) == [(1e-3, 0.7), (1e-4, 0.9)]
    assert points(rate, 2) == [(1e-4, 0.9)]  # the ring
    assert rate.lines[0].get_alpha() < rate.lines[1].get_alpha()
    assert points(freeze, 1) == [(0, 0.7), (1, 0.9)]
    assert [t.get_text() for t in freeze.get_xticklabels()] == ["nothing", "backbone"]
    assert (tmp_path / "slices.png").read_bytes().startswith(b"\x89PNG")


def test_the_least_value_may_have_the_ring(tmp_path, figures):
    plot_slices(TRIALS, SPACE, tmp_path / "slices.png", mode="min")
    assert points(figures[0].axes[0], 2) == [(1e-3, 0.7)]


def test_importance_is_a_bar_a_setting(tmp_path, figures):
    plot_importance({"rate": 0.75, "freeze": 0.25}, tmp_path / "importance.png")
    (axes,) = figures[0].axes
    assert [bar.get_width() for bar in axes.patches] == [0.75, 0.25]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["rate", "freeze"]
    assert [t.get_text() for t in axes.texts] == ["75%", "25%"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first one stands on top


def test_there_must_be_something_to_draw(tmp_path):
    with pytest.raises(ValueError, match=r"one complete trial.*\['pruned', 'failed'\]"):
        plot_slices(TRIALS[1:3], SPACE, tmp_path / "slices.png")
    with pytest.raises(ValueError, match="Received: 'most'"):
        plot_slices(TRIALS, SPACE, tmp_path / "slices.png", mode="most")
    with pytest.raises(ValueError, match="Received: none. It needs 4 complete"):
        plot_importance({}, tmp_path / "importance.png")
    assert not list(tmp_path.iterdir())
