import numpy as np
import pytest
from datasets import Dataset, DatasetDict

from kftune.models import (
    TransformerBackbone,
    TransformerSeq2SeqLM,
    TransformerSeq2SeqLMPreprocessor,
    train_marian_tokenizer,
)
from kftune.training import pair_batches

SOURCES = [f"film {i} is{' very' * (i % 5)} fine" for i in range(20)]
TARGETS = [f"Film {i} ist{' sehr' * (i % 5)} gut" for i in range(20)]


@pytest.fixture
def task(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    tokenizer = train_marian_tokenizer(SOURCES, TARGETS, 289, languages=["de", "fr"])
    backbone = TransformerBackbone(tokenizer.vocabulary_size(), 1, 2, 8, 16)
    preprocessor = TransformerSeq2SeqLMPreprocessor(tokenizer, 32, 32)
    return TransformerSeq2SeqLM(backbone, preprocessor)


def rows_of(batches):
    """Source and target ids of the pairs that count, in the order of the batches."""
    pairs = []
    for x, y, weight in batches:
        for i in np.flatnonzero(weight.any(axis=1)):
            source = x["encoder_token_ids"][i][x["encoder_padding_mask"][i]]
            pairs.append((source.tolist(), y[i][weight[i]].tolist()))
    return pairs


def test_splits_become_batches_and_training_is_shuffled(task):
    rows = Dataset.from_dict({"source": SOURCES, "target": TARGETS, "group": SOURCES})
    splits = DatasetDict({"train": rows, "test": rows.select(range(10, 20))})
    batches = pair_batches(task, splits, batch_size=4, seed=3)
    sources = task.preprocessor.tokenize_rows(SOURCES, "source")
    targets = task.preprocessor.tokenize_rows(TARGETS, "target")
    expected = [
        (s.tolist(), t[1:].tolist()) for s, t in zip(sources, targets, strict=True)
    ]
    assert sorted(rows_of(batches["train"])) == sorted(expected)
    assert sorted(rows_of(batches["test"])) == sorted(expected[10:])
    assert batches["train"].seed == 3
    assert batches["train"].shuffle
    assert not batches["test"].shuffle


def test_sources_begin_with_the_tag_of_the_language(task):
    rows = Dataset.from_dict({"source": SOURCES, "target": TARGETS})
    plain, told = (
        pair_batches(task, {"test": rows}, target_language=code, batch_size=4)["test"]
        for code in (None, "de")
    )
    tag = task.preprocessor.tokenizer.token_to_id(">>de<<")
    expected = [([tag, *source], target) for source, target in rows_of(plain)]
    assert sorted(rows_of(told)) == sorted(expected)
    with pytest.raises(ValueError, match=r"\['de', 'fr'\].*'it'"):
        pair_batches(task, {"test": rows}, target_language="it")
