import matplotlib.figure
import numpy as np
import pytest

from kftune.evaluation import plot_coverage


def test_curves_and_dots_are_where_the_numbers_are(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        matplotlib.figure.Figure,
        "savefig",
        lambda figure, path, **_: (drawn.append(figure), path.write_bytes(b"x")),
    )
    answers = {
        "validation": ([0.9, 0.8, 0.3, 0.2], [True, True, False, True]),
        "test, $de": ([0.6, 0.1], [False, True]),
    }
    plot_coverage(answers, 0.5, tmp_path / "coverage.png", title="Cards")
    (axes,) = drawn[0].axes
    lines = [np.stack(line.get_data()).T.tolist() for line in axes.get_lines()]
    assert lines[0] == [[0.25, 1], [0.5, 1], [0.75, pytest.approx(2 / 3)], [1, 0.75]]
    assert lines[1] == [[0.5, 1]]
    assert lines[2:] == [[[0.5, 0], [1, 0.5]], [[0.5, 0]]]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["validation", "test, $de"]
    assert axes.get_title() == "Cards"
    assert (tmp_path / "coverage.png").exists()


def test_a_png_is_written(tmp_path):
    plot_coverage({"a": ([0.9, 0.8], [True, False])}, 0.9, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
