from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from kftune.evaluation import plots
from kftune.evaluation.plots import (
    plot_changes,
    plot_confusion,
    plot_curves,
    plot_range_test,
)

HISTORY = {
    "accuracy": [0.6, 0.7, 0.8],
    "learning_rate": [1e-3, 1e-3, 1e-4],
    "learning_rate_adamw_1": [1e-4, 1e-4, 1e-5],
    "loss": [0.7, 0.5, 0.4],
    "val_accuracy": [0.65, 0.6, 0.7],
    "val_loss": [0.6, 0.55, 0.58],
}


@pytest.fixture
def figures(monkeypatch):
    """The figures that are drawn, to be looked into."""
    drawn = []

    class Kept(Figure):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            drawn.append(self)

    monkeypatch.setattr(plots, "Figure", Kept)
    return drawn


def texts(axes):
    return [text.get_text() for text in axes.texts]


def labels(ticks):
    return [text.get_text() for text in ticks]


def test_curves_show_training_and_validation_of_each_metric(tmp_path, figures):
    plot_curves(HISTORY, tmp_path / "curves.png", title="Reviews")
    loss, accuracy = figures[0].axes
    assert [loss.get_ylabel(), accuracy.get_ylabel()] == ["loss", "accuracy"]
    assert loss.get_xlabel() == accuracy.get_xlabel() == "epoch"
    assert labels(loss.get_legend().get_texts()) == ["training", "validation"]
    np.testing.assert_array_equal(loss.lines[0].get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), HISTORY["loss"])
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), HISTORY["val_loss"])
    assert figures[0].get_suptitle() == "Reviews"


def test_what_validation_alone_has_is_drawn_too(tmp_path, figures):
    history = {"loss": [2, 1], "val_loss": [3, 2], "val_bleu": [10, 20]}
    plot_curves(history, tmp_path / "curves.png", monitor="val_bleu", mode="max")
    loss, bleu = figures[0].axes
    assert loss.get_ylabel() == "loss"
    assert bleu.get_ylabel() == "val bleu"
    assert labels(bleu.get_legend().get_texts()) == ["validation"]
    np.testing.assert_array_equal(bleu.lines[0].get_ydata(), [10, 20])
    assert bleu.get_title(loc="right") == "best epoch 2: 20.000"


@pytest.mark.parametrize(
    ("monitored", "loss_title", "accuracy_title"),
    [
        ({}, "best epoch 2: 0.550", "best epoch 2: 0.600"),
        (
            {"monitor": "val_accuracy", "mode": "max"},
            "best epoch 3: 0.580",
            "best epoch 3: 0.700",
        ),
        ({"monitor": "val_f1"}, "", ""),
    ],
)
def test_best_epoch_is_marked(tmp_path, figures, monitored, loss_title, accuracy_title):
    plot_curves(HISTORY, tmp_path / "curves.png", **monitored)
    loss, accuracy = figures[0].axes
    assert loss.get_title(loc="right") == loss_title
    assert accuracy.get_title(loc="right") == accuracy_title


def test_curves_of_a_failed_training_are_drawn(tmp_path):
    history = {"loss": [float("nan")], "val_loss": [float("nan")]}
    plot_curves(history, tmp_path / "curves.png")
    assert imread(tmp_path / "curves.png").shape[1] == 750


@pytest.mark.parametrize("history", [{}, {"learning_rate": [1.0]}, {"loss": []}])
def test_curves_need_something_to_draw(tmp_path, history):
    with pytest.raises(ValueError, match="one metric and one epoch") as error:
        plot_curves(history, tmp_path / "curves.png")
    assert all(name in str(error.value) for name in history)
    assert not list(tmp_path.iterdir())


def test_unknown_mode_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="'best'"):
        plot_curves(HISTORY, tmp_path / "curves.png", mode="best")


def test_confusion_shows_percent_of_the_true_class(tmp_path, figures):
    plot_confusion([[3, 1], [0, 2]], ["rotten", "$fresh"], tmp_path / "confusion.png")
    axes = figures[0].axes[0]
    assert texts(axes) == ["75.0%\n3", "25.0%\n1", "0.0%\n0", "100.0%\n2"]
    assert labels(axes.get_xticklabels()) == ["rotten", "$fresh"]
    assert labels(axes.get_yticklabels()) == ["rotten", "$fresh"]
    assert axes.get_xlabel() == "predicted class"
    assert axes.get_ylabel() == "true class"


def test_many_classes_have_names_but_no_numbers(tmp_path, figures):
    names = [f"intent_{i}\nof many" for i in range(77)]
    plot_confusion(np.eye(77, dtype=int), names, tmp_path / "confusion.png")
    axes = figures[0].axes[0]
    assert not axes.texts
    shown = labels(axes.get_yticklabels())
    assert shown[:2] == ["intent_0 of many", "intent_1 of many"]
    assert len(shown) == 77
    # 77 names of 6.5 points need this many dots at 150 dots an inch.
    assert imread(tmp_path / "confusion.png").shape[0] > 77 * 6.5 / 72 * 150


def test_class_without_rows_is_drawn(tmp_path, figures):
    plot_confusion([[2, 0], [0, 0]], ["a", "b"], tmp_path / "confusion.png")
    assert texts(figures[0].axes[0])[2:] == ["0.0%\n0", "0.0%\n0"]


def test_matrix_must_fit_the_names(tmp_path):
    with pytest.raises(ValueError, match=r"3 by 3 classes.* \(2, 2\)"):
        plot_confusion([[1, 0], [0, 1]], ["a", "b", "c"], tmp_path / "confusion.png")


CHANGES = {
    "nothing": {"in domain": 14.25, "general": -6.0},
    "lora": {"in domain": 9.0, "general": 0.25},
}


def test_changes_are_bars_a_row_a_system(tmp_path, figures):
    path = tmp_path / "changes.png"
    plot_changes(CHANGES, path, unsure=[("nothing", "in domain"), ("lora", "general")])
    (axes,) = figures[0].axes
    widths = [[bar.get_width() for bar in bars] for bars in axes.containers]
    assert widths == [[14.25, 9.0], [-6.0, 0.25]]
    assert labels(axes.get_yticklabels()) == ["nothing", "lora"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first one stands on top
    for row in range(2):  # both bars of a system stand at its name
        middles = [
            bars[row].get_y() + bars[row].get_height() / 2 for bars in axes.containers
        ]
        assert np.mean(middles) == pytest.approx(row)
        assert middles[0] < middles[1]
    alphas = [[bar.get_alpha() < 1 for bar in bars] for bars in axes.containers]
    assert alphas == [[True, False], [False, True]]
    legend = axes.get_legend()
    assert labels(legend.get_texts()) == ["in domain", "general"]
    assert {handle.get_alpha() for handle in legend.legend_handles} == {1.0}
    assert [text.get_text() for text in axes.texts] == ["+14.2", "+9.0", "-6.0", "+0.2"]
    assert "pale" in axes.get_xlabel()
    assert path.read_bytes().startswith(b"\x89PNG")


def test_changes_of_one_test_set(tmp_path, figures):
    plot_changes({"a": {"test": 1.0}}, tmp_path / "a.png", unit="chrF")
    assert figures[0].axes[0].get_xlabel() == "change of chrF"


@pytest.mark.parametrize("changes", [{}, {"a": {}}, {"a": {"x": 1.0}, "b": {"y": 1.0}}])
def test_changes_need_the_same_test_sets(tmp_path, changes):
    with pytest.raises(ValueError, match="the same for all systems"):
        plot_changes(changes, tmp_path / "a.png")


@pytest.mark.parametrize("suggestion", [3.2e-4, None])
def test_a_range_test_is_drawn_over_the_logarithm_of_the_rate(
    tmp_path, figures, suggestion
):
    test = SimpleNamespace(
        rates=[1e-5, 1e-4, 1e-3, 1e-2],
        losses=[0.8, 0.7, 0.4, 20.0],
        smoothed=[np.nan, 0.6, 0.5, np.nan],
        suggestion=suggestion,
    )
    plot_range_test(test, tmp_path / "test.png", title="Reviews")
    (axes,) = figures[0].axes
    assert axes.get_xscale() == "log"
    # From the lowest loss to as far above the first smoothed one, and a twentieth.
    assert axes.get_ylim() == pytest.approx((0.4 - 0.02, 0.8 + 0.02))
    assert axes.get_title(loc="left") == "Reviews"
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), test.rates)
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), test.losses)
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), test.smoothed)
    marked = [line.get_xdata()[0] for line in axes.lines[2:]]
    assert marked == ([] if suggestion is None else [suggestion])
    expected = "" if suggestion is None else "suggestion 3.2e-04"
    assert axes.get_title(loc="right") == expected
    assert imread(tmp_path / "test.png").shape[1] == 900
