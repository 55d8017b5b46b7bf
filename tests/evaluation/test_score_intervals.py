import numpy as np
import pytest
from scipy.stats import binomtest

from kftune.evaluation import (
    bootstrap_intervals,
    compare_systems,
    mean_interval,
    wilson_interval,
)

REFERENCES = [f"The {word} dog runs through the old park." for word in "abcdefgh"]
HYPOTHESES = [
    text.replace("park", "wood" if i % 2 else "park").replace("dog", "cat" if i else "")
    for i, text in enumerate(REFERENCES)
]


@pytest.mark.parametrize(
    ("right", "rows"), [(0, 1), (0, 9), (5, 5), (101, 150), (790, 1000), (3, 40_000)]
)
def test_wilsons_interval_is_that_of_scipy(right, rows):
    expected = binomtest(right, rows).proportion_ci(0.95, method="wilson")
    found = wilson_interval(right / rows, rows)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-7)


@pytest.mark.parametrize(("share", "rows"), [(0.5, 0), (1.2, 9), (-0.1, 9)])
def test_wilsons_interval_needs_a_share_of_rows(share, rows):
    with pytest.raises(ValueError, match=f"share={share}, rows={rows}"):
        wilson_interval(share, rows)


@pytest.mark.parametrize("lowercase", [True, False])
def test_the_bootstrap_is_sacrebleus(lowercase):
    found = bootstrap_intervals(HYPOTHESES, REFERENCES, lowercase=lowercase)
    systems = {"base": REFERENCES, "system": HYPOTHESES}
    paired = compare_systems(systems, REFERENCES, lowercase=lowercase)
    for metric, (score, low, high) in found.items():
        expected = paired.scores["system"][metric]
        assert score == expected.score
        # Its samples are other ones than those of the paired test.
        assert (low + high) / 2 == pytest.approx(expected.mean, rel=0.05)
        assert (high - low) / 2 == pytest.approx(expected.ci, rel=0.2)
        assert low < score < high
    assert list(found) == ["bleu", "chrf", "ter"]
    again = bootstrap_intervals(HYPOTHESES, REFERENCES, lowercase=lowercase)
    assert again == found


def test_scores_of_0_have_an_interval_of_0():
    found = bootstrap_intervals(["x y"] * 3, ["a b"] * 3, ["bleu", "ter"], samples=20)
    assert found == {"bleu": (0, 0, 0), "ter": (100, 100, 100)}


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="8 hypotheses, 7 references"):
        bootstrap_intervals(HYPOTHESES, REFERENCES[1:])


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    values = np.random.default_rng(0).gamma(2.0, size=800)
    error = 1.96 * values.std() / np.sqrt(800)
    expected = values.mean() - error, values.mean() + error
    assert mean_interval(values) == pytest.approx(expected, abs=0.1 * error)
    assert mean_interval(values) == mean_interval(values)
    assert mean_interval([2.0]) == (2.0, 2.0)


def test_a_mean_has_values():
    with pytest.raises(ValueError, match="Received: none"):
        mean_interval([])


def test_rows_of_a_group_are_drawn_together():
    values = np.random.default_rng(0).gamma(2.0, size=80)
    expected = mean_interval(values)
    several, groups = np.repeat(values, 4), np.repeat(np.arange(80), 4).tolist()
    assert mean_interval(several, groups=groups) == pytest.approx(expected)
    alone = mean_interval(several)
    assert alone[1] - alone[0] < 0.6 * (expected[1] - expected[0])
    with pytest.raises(ValueError, match="each of 80 values. Received: 2 groups"):
        mean_interval(values, groups=["a", "b"])
