import itertools

import numpy as np
import pytest

from kftune.data.pair_boundaries import check_pair_boundaries, learn_pair_boundaries


def padded_tokens(lengths, boundaries):
    """Padded tokens if every pair goes to the smallest boundary that holds it."""
    return sum(
        min(s + t for s, t in boundaries if s >= source and t >= target)
        for source, target in lengths.tolist()
    )


def pairs(seed, count=80, spread=4, scale=6):
    """Lengths that go together, but not closely."""
    rng = np.random.default_rng(seed)
    source = rng.gamma(2, scale, count).astype(int) + 1
    target = np.maximum(source + rng.integers(-spread, spread + 1, count), 1)
    return np.stack([source, target], axis=1)


@pytest.mark.parametrize("max_buckets", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_boundaries_waste_hardly_more_than_the_best_of_all_choices(seed, max_buckets):
    lengths = np.minimum(pairs(seed), 12)
    longest = tuple(lengths.max(axis=0).tolist())
    boxes = itertools.product(*(np.unique(side).tolist() for side in lengths.T))
    choices = itertools.combinations(boxes, max_buckets - 1)
    best = min(padded_tokens(lengths, (*choice, longest)) for choice in choices)
    learned = learn_pair_boundaries(lengths, max_buckets)
    assert best <= padded_tokens(lengths, learned) <= 1.02 * best
    assert len(learned) == max_buckets


def test_boundaries_are_in_order_and_the_last_holds_all():
    lengths = pairs(5, 500)
    boundaries = learn_pair_boundaries(lengths, 8)
    sums = [s + t for s, t in boundaries]
    assert len(boundaries) == 8
    assert sums == sorted(sums)
    assert boundaries[-1] == tuple(lengths.max(axis=0))


def test_more_buckets_waste_less():
    lengths = pairs(1, 2000)
    wasted = [
        padded_tokens(lengths, learn_pair_boundaries(lengths, n)) for n in (1, 2, 4, 8)
    ]
    assert wasted == sorted(set(wasted), reverse=True)


def test_long_rows_have_no_more_lengths_than_short_ones():
    lengths = pairs(2, 3000, spread=40, scale=120)
    boundaries = learn_pair_boundaries(lengths, 8)
    multiples = -(-lengths.max(axis=0) // 32)
    assert min(multiples) > 1
    assert (np.array(boundaries[:-1]) % multiples == 0).all()


def test_no_more_boundaries_than_pairs_of_lengths():
    lengths = np.array([[3, 4], [3, 4], [9, 2]])
    assert learn_pair_boundaries(lengths, 8) == ((3, 4), (9, 4))


def test_given_boundaries_are_put_in_order():
    boundaries = check_pair_boundaries([[9, 9], (4, 9), (6, 3)], np.array([[1, 9]]))
    assert boundaries == ((6, 3), (4, 9), (9, 9))


@pytest.mark.parametrize(
    ("boundaries", "message"),
    [
        ([], "pairs of positive lengths.*Received: \\[\\]"),
        ([8, 16], "pairs of positive lengths.*Received: \\[8, 16\\]"),
        ([(8, 8), (16,)], "pairs of positive lengths.*16"),
        ([(0, 8)], "pairs of positive lengths.*0, 8"),
        ([(8, 16), (16, 8)], r"such as \(16, 16\).*\(8, 16\), \(16, 8\)"),
        ([(8, 8)], r"most 8 tokens and targets of at most 8.*up to 7 and 9.*rows 1\."),
    ],
)
def test_boundaries_that_do_not_fit_are_named(boundaries, message):
    with pytest.raises(ValueError, match=message):
        check_pair_boundaries(boundaries, np.array([[1, 8], [7, 9]]))
