import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from kftune.evaluation.plots import FAINT
from kftune.evaluation.report_figures import (
    curve_metrics,
    draw_attention,
    draw_curves,
)

SVG = "{http://www.w3.org/2000/svg}"
HISTORIES = {
    "$a$": {"loss": [0.9, 0.4, 0.5], "val_loss": [0.8, 0.7, 0.75], "val_bleu": [1.0]},
    "_b": {"loss": [0.6, 0.2], "learning_rate": [1e-3, 1e-4]},
}


def lines(svg):
    """Points of the curves: paths that are clipped to the axes, but for the grid."""
    return [
        np.array(re.findall(r"[ML] (\S+) (\S+)", path.get("d")), float)
        for path in ElementTree.fromstring(svg).iter(f"{SVG}path")
        if path.get("clip-path") and FAINT not in path.get("style")
    ]


def texts(svg):
    return [
        "".join(t.itertext()) for t in ElementTree.fromstring(svg).iter(f"{SVG}text")
    ]


def test_metrics_are_those_of_all_runs_the_loss_first():
    assert curve_metrics(HISTORIES) == ["loss", "bleu"]
    assert curve_metrics({}) == []


def test_curves_go_through_the_values():
    svg = draw_curves(HISTORIES, "loss")
    values = [[0.8, 0.7, 0.75], [0.9, 0.4, 0.5], [0.6, 0.2]]
    drawn = lines(svg)
    assert [len(points) for points in drawn] == [3, 3, 2]
    x, y = np.concatenate(drawn).T
    epochs = np.concatenate([np.arange(1, 1 + len(v)) for v in values])
    for coordinates, numbers in ((x, epochs), (y, np.concatenate(values))):
        slope, start = np.polyfit(numbers, coordinates, 1)
        np.testing.assert_allclose(slope * numbers + start, coordinates, atol=1e-3)
    assert slope < 0  # SVG counts downwards


def test_runs_have_their_names_as_they_are():
    told = texts(draw_curves(HISTORIES, "loss"))
    labels = ["$a$, validation", "$a$, training", "_b, training"]
    assert [text for text in told if ", " in text] == labels
    assert "epoch" in told and "loss" in told


def test_gaps_are_no_error():
    history = {"val_bleu": [math.nan, 3.0, math.nan, 5.0]}
    assert "bleu" in texts(draw_curves({"run": history}, "bleu"))


@pytest.mark.parametrize("tokens", [("<s>", "日", "$x$"), ("a",)])
def test_attention_has_the_tokens_on_both_axes(tokens):
    weights = np.eye(len(tokens))
    told = texts(draw_attention(tokens, weights))
    assert [told.count(token) for token in tokens] == [2] * len(tokens)


def test_drawings_repeat_to_the_byte():
    assert draw_curves(HISTORIES, "loss") == draw_curves(HISTORIES, "loss")
    weights = np.eye(2)
    assert draw_attention("ab", weights) == draw_attention("ab", weights)
