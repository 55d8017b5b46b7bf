import pytest
from datasets import Dataset

from kftune.data import PairBuckets, tokenize_pairs
from kftune.models import TransformerSeq2SeqLMPreprocessor, train_marian_tokenizer

SOURCES = ["The film is good.", "It is not bad at all.", "So what?"]
TARGETS = ["Der Film ist gut.", "Er ist gar nicht schlecht.", "Na und?"]

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def tokenizer():
    return train_marian_tokenizer(SOURCES, TARGETS, 35, byte_fallback=False)


class Counting(TransformerSeq2SeqLMPreprocessor):
    """Counts how often it tokenises."""

    calls = 0

    def tokenize_rows(self, *args, **kwargs):
        self.calls += 1
        return super().tokenize_rows(*args, **kwargs)


@pytest.fixture
def preprocessor(tokenizer):
    return Counting(tokenizer, 16, 16)


def pairs(sources=SOURCES, targets=TARGETS, **columns):
    return Dataset.from_dict({"source": sources, "target": targets, **columns})


def test_rows_are_those_of_the_preprocessor(preprocessor):
    rows = tokenize_pairs(pairs(context=["a", "b", "c"]), preprocessor)
    assert rows.column_names == ["source_token_ids", "target_token_ids"]
    for side, texts in (("source", SOURCES), ("target", TARGETS)):
        expected = preprocessor.tokenize_rows(texts, side)
        assert rows[f"{side}_token_ids"][:] == [row.tolist() for row in expected]


def test_the_second_time_nothing_is_tokenised(preprocessor, tokenizer):
    first = tokenize_pairs(pairs(), preprocessor)
    assert preprocessor.calls == 2
    alike = Counting(tokenizer, 16, 16, name="another")
    again = tokenize_pairs(pairs(context=["a", "b", "c"]), alike)
    assert alike.calls == 0
    assert again.to_dict() == first.to_dict()


@pytest.mark.parametrize(
    "change",
    [
        lambda t: (pairs(SOURCES[:2], TARGETS[:2]), Counting(t, 16, 16), {}),
        lambda t: (pairs(SOURCES, [*TARGETS[:2], "Und?"]), Counting(t, 16, 16), {}),
        lambda t: (pairs(["a", "bc"], ["d", "e"]), Counting(t, 16, 16), {}),
        lambda t: (pairs(), Counting(t, 5, 16), {}),
        lambda t: (pairs(), Counting(t, 16, 5), {}),
        lambda t: (pairs(), Counting(t, 16, 16), {"alpha": 0.1}),
    ],
)
def test_whatever_decides_the_rows_is_noticed(change, preprocessor, tokenizer):
    tokenize_pairs(pairs(), preprocessor)
    tokenize_pairs(pairs(["ab", "c"], ["d", "e"]), preprocessor)
    rows, other, settings = change(tokenizer)
    tokenize_pairs(rows, other, **settings)
    assert other.calls == 2


def test_another_vocabulary_is_noticed(preprocessor):
    tokenize_pairs(pairs(), preprocessor)
    tokenizer = train_marian_tokenizer(SOURCES, TARGETS, 36, byte_fallback=False)
    other = Counting(tokenizer, 16, 16)
    tokenize_pairs(pairs(), other)
    assert other.calls == 2


def test_cuts_at_random_differ_by_seed_and_are_kept(tokenizer):
    preprocessor = Counting(tokenizer, 64, 64)
    cuts = [tokenize_pairs(pairs(), preprocessor, alpha=0.1, seed=s) for s in (0, 1)]
    assert cuts[0].to_dict() != cuts[1].to_dict()
    assert preprocessor.calls == 4
    tokenize_pairs(pairs(), preprocessor, alpha=0.1, seed=1)
    assert preprocessor.calls == 4
    texts = tokenizer.detokenize(cuts[0]["target_token_ids"][:])
    assert texts == TARGETS


def test_rows_go_into_batches(preprocessor):
    rows = tokenize_pairs(pairs(SOURCES * 900, TARGETS * 900), preprocessor)
    data = PairBuckets(*(rows[name] for name in rows.column_names), shuffle=False)
    expected = sum(len(row) - 1 for row in rows["target_token_ids"][:])
    assert sum(weight.sum() for _, _, weight in data) == expected


def test_a_failure_leaves_nothing_in_the_cache(preprocessor, own_cache):
    preprocessor.tokenize_rows = lambda *args, **kwargs: 1 / 0
    with pytest.raises(ZeroDivisionError):
        tokenize_pairs(pairs(), preprocessor)
    assert not [path for path in own_cache.rglob("*") if path.is_file()]


def test_missing_texts_and_columns_are_named(preprocessor):
    with pytest.raises(ValueError, match="target in every row. Received None in row 1"):
        tokenize_pairs(pairs(SOURCES, ["a", None, "b"]), preprocessor)
    with pytest.raises(ValueError, match=r"\['source', 'target'\].*'text'"):
        tokenize_pairs(Dataset.from_dict({"text": SOURCES}), preprocessor)
