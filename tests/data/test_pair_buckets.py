"""Batches of PairBuckets."""

import collections
import os
from pathlib import Path

import numpy as np
import pytest
from translation_files import needs_data

from kftune.data import PairBuckets, read
from kftune.models import TransformerSeq2SeqLMPreprocessor, train_marian_tokenizer

BOUNDARIES = ((8, 12), (14, 12), (20, 30))


def token_rows(count=61):
    """Sources of 1 to 20 tokens and targets of 2 to 26; pair i begins with 100 + i."""
    rng = np.random.default_rng(7)
    sources, targets = [], []
    for i in range(count):
        length = rng.integers(0, 20)
        more = max(1, length + rng.integers(-6, 7))
        sources.append([100 + i, *rng.integers(1, 99, length)])
        targets.append([100 + i, *rng.integers(1, 99, more)])
    return sources, targets


def make_data(count=61, **changes):
    settings = {"batch_size": 8, "boundaries": BOUNDARIES, **changes}
    return PairBuckets(*token_rows(count), **settings)


def shapes(data):
    """How often each shape of a batch occurs."""
    return collections.Counter(
        (*x["encoder_token_ids"].shape, y.shape[1]) for x, y, _ in data
    )


def test_batches_are_what_the_preprocessor_makes_of_the_texts():
    texts = [f"{'so ' * (i % 7)}it goes {'on' * (i % 5)}." for i in range(40)]
    targets = [text.replace("it", "es") * (1 + i % 2) for i, text in enumerate(texts)]
    tokenizer = train_marian_tokenizer(texts, targets, 16, byte_fallback=False)
    rows = TransformerSeq2SeqLMPreprocessor(tokenizer, 64, 64)
    data = PairBuckets(
        rows.tokenize_rows(texts, "source"),
        rows.tokenize_rows(targets, "target"),
        batch_size=10,
        max_buckets=3,
        pad_token_id=tokenizer.pad_token_id,
    )
    assert len(data) == 4
    for (x, y, weight), (lengths, chosen) in zip(data, data._plan, strict=True):
        alike = TransformerSeq2SeqLMPreprocessor(tokenizer, *lengths)
        pairs = [texts[i] for i in chosen], [targets[i] for i in chosen]
        expected_x, expected_y, expected_weight = alike(*pairs)
        assert x.keys() == expected_x.keys()
        for name, expected in expected_x.items():
            np.testing.assert_array_equal(x[name], expected)
            assert x[name].dtype == expected.dtype
        np.testing.assert_array_equal(y, expected_y)
        np.testing.assert_array_equal(weight, expected_weight)


def test_every_pair_counts_once_an_epoch():
    sources, targets = token_rows()
    data = make_data()
    for _ in range(3):
        seen = []
        for x, y, weight in data:
            for i, counts in enumerate(weight.any(axis=1)):
                if not counts:
                    continue
                number = x["encoder_token_ids"][i, 0] - 100
                seen.append(number)
                real = x["encoder_token_ids"][i][x["encoder_padding_mask"][i]]
                np.testing.assert_array_equal(real, sources[number])
                assert x["decoder_token_ids"][i, 0] == targets[number][0]
                np.testing.assert_array_equal(y[i][weight[i]], targets[number][1:])
        assert sorted(seen) == list(range(61))
        data.on_epoch_end()


def test_a_batch_that_is_not_full_repeats_pairs_without_weight():
    data = make_data()
    without = [w[~w.any(axis=1)] for _, _, w in data]
    assert sorted(map(len, without)) == [0] * 7 + [3]
    for x, _, weight in data:
        ids, counts = x["encoder_token_ids"][:, 0].tolist(), weight.any(axis=1)
        repeated = [i for i, real in zip(ids, counts, strict=True) if not real]
        assert repeated == ids[: len(repeated)]
        assert x["encoder_padding_mask"].any(axis=1).all()


@pytest.mark.parametrize("settings", [{}, {"max_tokens": 160}, {"boundaries": None}])
def test_no_more_shapes_than_buckets_the_same_in_every_epoch(settings):
    data = make_data(**settings)
    first = shapes(data)
    assert len(first) <= len(data.boundaries)
    for _ in range(5):
        data.on_epoch_end()
        assert shapes(data) == first


def test_max_tokens_count_both_sides_and_the_padding():
    data = make_data(max_tokens=160)
    assert data.batch_sizes == (160 // 20, 160 // 26, 160 // 50)
    assert max(b * (s + t) for b, s, t in shapes(data)) <= 160
    with pytest.raises(ValueError, match="max_tokens of 50 or more.*Received: 49"):
        make_data(max_tokens=49)


@pytest.mark.parametrize("shuffle", [True, False])
def test_first_two_batches_differ_on_both_sides(shuffle):
    data = make_data(shuffle=shuffle)
    for _ in range(40):
        one, other = ((s, t) for (s, t), _ in data._plan[:2])
        assert one[0] != other[0]
        assert one[1] != other[1]
        data.on_epoch_end()


def test_a_side_of_one_length_need_not_differ():
    rows = [[1] * n for n in [3, 3, 3, 9, 9]]
    data = PairBuckets(rows, [[1, 2]] * 5, batch_size=2, boundaries=[(4, 1), (9, 1)])
    assert [lengths for lengths, _ in data._plan[:2]] in (
        [(4, 1), (9, 1)],
        [(9, 1), (4, 1)],
    )


def test_order_repeats_by_seed_and_epoch():
    first, second = make_data(seed=3), make_data(seed=3)
    second.begin_epoch(4)
    assert first.order.tolist() != second.order.tolist()
    second.begin_epoch(0)
    assert first.order.tolist() == second.order.tolist()
    assert first.order.tolist() != make_data(seed=4).order.tolist()


def test_drop_remainder_leaves_full_batches():
    data = make_data(drop_remainder=True)
    assert len(data) == 7
    assert all(weight.any(axis=1).all() for _, _, weight in data)


def test_padding_share_is_counted_over_the_batches():
    data = make_data()
    real = padded = 0
    for x, y, weight in data:
        counts = weight.any(axis=1)
        real += x["encoder_padding_mask"][counts].sum() + weight.sum()
        padded += x["encoder_token_ids"].size + y.size
    assert data.padding_share == pytest.approx(1 - real / padded)
    assert str(data) == (
        "61 rows in 8 batches of 8, padded to 8/12, 14/12, 20/30 tokens: "
        f"{1 - real / padded:.1%} padding"
    )


def test_a_position_goes_on_where_it_was_and_fits_the_same_pairs_alone():
    data, again = make_data(), make_data()
    data.begin_epoch(2)
    data.mark_trained(5)
    again.restore(data.state())
    again.begin_epoch(2)
    assert again.num_batches == 3
    np.testing.assert_array_equal(again[0][1], data[5][1])
    with pytest.raises(ValueError, match="boundaries: expected .*8, 12.*received .*9"):
        make_data(boundaries=[(9, 12), (20, 30)]).restore(data.state())


def test_pad_token_stands_behind_the_rows():
    x, y, _ = make_data(pad_token_id=99_999)[0]
    padding = ~x["encoder_padding_mask"]
    assert (x["encoder_token_ids"][padding] == 99_999).all()
    ends = ~x["decoder_padding_mask"]
    assert (x["decoder_token_ids"][ends] == 99_999).all()
    assert (y[:, 1:][ends[:, 1:]] == 99_999).all()
    assert padding.any()
    assert ends.any()


@pytest.mark.parametrize(
    ("sources", "targets", "message"),
    [
        ([[1], [2]], [[1, 2]], "Received: 2 sources and 1 targets"),
        ([[1], [2]], [[1, 2], [1]], "at least two tokens.*in rows 1"),
        ([[1], []], [[1, 2], [1, 3]], "empty rows: 1"),
        ([], [], "at least one row"),
    ],
)
def test_rows_that_make_no_pairs_are_named(sources, targets, message):
    with pytest.raises(ValueError, match=message):
        PairBuckets(sources, targets)


def test_too_few_pairs_for_a_batch_are_an_error():
    with pytest.raises(ValueError, match="batch of 99 rows. Received 61 rows"):
        make_data(batch_size=99, drop_remainder=True)


@pytest.mark.large
@needs_data
@pytest.mark.parametrize("settings", [{"batch_size": 64}, {"max_tokens": 4096}])
def test_padding_of_real_captions(settings):
    folder = Path(os.environ["KFTUNE_TEST_DATA"]) / "multi30k"
    pairs = read([folder / "train.en.xz", folder / "train.de.xz"])
    texts = pairs["source"][:], pairs["target"][:]
    rows = TransformerSeq2SeqLMPreprocessor(train_marian_tokenizer(*texts, 8000))
    sides = zip(texts, ("source", "target"), strict=True)
    data = PairBuckets(*(rows.tokenize_rows(*side) for side in sides), **settings)
    assert data.padding_share < 0.15
    assert len(shapes(data)) <= 8
