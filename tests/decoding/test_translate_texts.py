import itertools

import pytest
from translation_files import SOURCE, write_marian_files

from kftune.decoding import source_lengths, translate_texts
from kftune.models import TransformerSeq2SeqLMPreprocessor
from kftune.models.tokenizers.marian_tokenizer import MarianTokenizer

LIMIT = 100


class Shouting:
    """Stands for a task: notes the batches, and gives back capitals."""

    def __init__(self, tokenizer):
        self.preprocessor = TransformerSeq2SeqLMPreprocessor(tokenizer, LIMIT, 16)
        self.batches = []

    def generate(self, texts, **options):
        self.batches.append((texts, options))
        return [text.upper() for text in texts]

    @property
    def sizes(self):
        """Rows of each batch and the length of its longest source."""
        lengths = [source_lengths(self, texts) for texts, _ in self.batches]
        return [(len(batch), max(batch)) for batch in lengths]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_marian_files(tmp_path_factory.mktemp("marian"))


@pytest.fixture
def tokenizer(folder):
    tokenizer = MarianTokenizer()
    tokenizer.load_assets(folder)
    return tokenizer


@pytest.fixture
def task(tokenizer):
    return Shouting(tokenizer)


def texts_of(*lengths):
    """A text of so many words for each length."""
    return [" ".join(["film"] * length) + f" {i}" for i, length in enumerate(lengths)]


def test_order_is_kept_and_batches_have_few_shapes(task):
    texts = texts_of(*(3, 12, 1, 40, 2) * 7)
    done = []
    received = translate_texts(task, texts, batch_tokens=256, on_batch=done.append)
    assert received == [text.upper() for text in texts]
    by_bucket = {}
    for rows, longest in task.sizes:
        bucket = next(size for size in (32, 64, LIMIT) if min(longest, LIMIT) <= size)
        by_bucket.setdefault(bucket, set()).add(rows)
        assert rows * bucket <= 256
    # One number of rows for each length.
    assert all(len(rows) == 1 for rows in by_bucket.values())
    assert len(by_bucket) > 1
    assert done == sorted(done) and done[-1] == len(texts)


def test_batches_hold_texts_of_like_length(task):
    translate_texts(task, texts_of(1, 2, 3, 4) * 8, batch_tokens=32 * 8)
    seen = [sorted(source_lengths(task, texts)) for texts, _ in task.batches]
    for shorter, longer in itertools.pairwise(seen):
        assert shorter[-1] <= longer[0]


def test_few_texts_make_a_small_batch(task):
    translate_texts(task, texts_of(1, 2, 3), batch_tokens=10_000)
    assert [rows for rows, _ in task.sizes] == [4]


def test_a_batch_has_a_row_at_least(task):
    translate_texts(task, texts_of(1, 2), batch_tokens=1)
    assert [rows for rows, _ in task.sizes] == [1, 1]


def test_options_go_to_generate(task):
    translate_texts(task, ["a"], max_length=7, num_return_sequences=2)
    assert task.batches[0][1] == {"max_length": 7, "num_return_sequences": 2}
    assert translate_texts(task, []) == []
    assert len(task.batches) == 1


def test_lengths_are_those_of_the_whole_rows(task, tokenizer):
    texts = [*SOURCE, " ".join(SOURCE * 9), ">>deu<< good"]
    expected = [len(row) + 1 for row in tokenizer.tokenize(texts)]
    assert source_lengths(task, texts) == expected and max(expected) > LIMIT
    # The language is one token, as it is when it is written into the text.
    assert source_lengths(task, ["good"], "deu") == expected[-1:]


def test_batch_tokens_must_be_positive(task):
    with pytest.raises(ValueError, match="at least 1. Received: 0"):
        translate_texts(task, ["good"], batch_tokens=0)
