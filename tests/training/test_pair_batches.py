import json

import keras
import numpy as np
import pytest
from datasets import Dataset
from translation_files import write_m2m100_files

from kftune.models import (
    M2M100Tokenizer,
    TransformerBackbone,
    TransformerSeq2SeqLM,
    TransformerSeq2SeqLMPreprocessor,
    train_marian_tokenizer,
)
from kftune.training import InverseSquareRoot, compile_translation, pair_batches

SOURCES = [f"film {i} is{' very' * (i % 5)} fine" for i in range(20)]
TARGETS = [f"Film {i} ist{' sehr' * (i % 7)} gut" for i in range(20)]


@pytest.fixture(scope="module")
def task():
    tokenizer = train_marian_tokenizer(SOURCES, TARGETS, 33, byte_fallback=False)
    backbone = TransformerBackbone(
        tokenizer.vocabulary_size(), 1, 2, 8, 16, max_sequence_length=48
    )
    preprocessor = TransformerSeq2SeqLMPreprocessor(tokenizer, 48, 48)
    return TransformerSeq2SeqLM(backbone, preprocessor)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def real_rows(data, tokenizer):
    """Token ids of sources and of what is to be predicted, in the order of the data."""
    rows = []
    for x, y, weight in data:
        for source, mask, target, real in zip(
            x["encoder_token_ids"], x["encoder_padding_mask"], y, weight, strict=True
        ):
            assert set(source[~mask].tolist()) <= {tokenizer.pad_token_id}
            if real.any():  # else a row that fills up a batch
                rows.append((source[mask].tolist(), target[real].tolist()))
    return rows


def test_the_training_split_alone_is_shuffled(task, own_cache):
    pairs = Dataset.from_dict({"source": SOURCES, "target": TARGETS})
    splits = {"train": pairs, "validation": pairs}
    options = {"max_tokens": 256, "max_buckets": 1}
    batches = pair_batches(task, splits, seed=3, **options)
    expected = [
        (source.tolist(), target[1:].tolist())
        for source, target in zip(
            task.preprocessor.tokenize_rows(SOURCES, "source"),
            task.preprocessor.tokenize_rows(TARGETS, "target"),
            strict=True,
        )
    ]
    tokenizer = task.preprocessor.tokenizer
    assert real_rows(batches["validation"], tokenizer) == expected
    shuffled = real_rows(batches["train"], tokenizer)
    assert shuffled != expected and sorted(shuffled) == sorted(expected)
    assert batches["train"].seed == 3
    for x, y, _ in batches["train"]:
        assert x["encoder_token_ids"].size + y.size <= 256


def test_m2m100_is_told_the_language_of_the_targets(own_cache, tmp_path):
    write_m2m100_files(tmp_path)
    vocabulary = json.loads((tmp_path / "vocab.json").read_text("utf-8"))
    languages = {code: len(vocabulary) + i for i, code in enumerate(("de", "en", "fr"))}
    tokenizer = M2M100Tokenizer(
        (tmp_path / "sentencepiece.bpe.model").read_bytes(),
        vocabulary | {f"__{code}__": number for code, number in languages.items()},
        {code: f"__{code}__" for code in languages},
        "en",
        "de",
    )
    backbone = TransformerBackbone(
        tokenizer.vocabulary_size(), 1, 2, 8, 16, max_sequence_length=48
    )
    task = TransformerSeq2SeqLM(
        backbone, TransformerSeq2SeqLMPreprocessor(tokenizer, 48, 48)
    )
    pairs = Dataset.from_dict({"source": SOURCES, "target": TARGETS})
    rows = [
        real_rows(pair_batches(task, {"test": pairs}, **options)["test"], tokenizer)
        for options in ({"batch_size": 5}, {"batch_size": 5, "target_language": "fr"})
    ]
    for code, batches in zip(("de", "fr"), rows, strict=True):
        assert {source[0] for source, _ in batches} == {languages["en"]}
        assert {target[0] for _, target in batches} == {languages[code]}
    bodies = [[(source, target[1:]) for source, target in part] for part in rows]
    assert bodies[0] == bodies[1]
    assert tokenizer.target_language == "de"


def test_it_is_compiled_as_the_transformer_was(task):
    compile_translation(task, InverseSquareRoot(0.25, 4), label_smoothing=0.2)
    optimizer = task.optimizer
    rates = [float(optimizer._learning_rate(step)) for step in (2, 4, 16)]
    # A linear rise to the peak at step 4, then with the root of the steps.
    np.testing.assert_allclose(rates, [0.125, 0.25, 0.125], rtol=1e-6)
    assert (type(optimizer), optimizer.beta_2) == (keras.optimizers.Adam, 0.98)
    assert optimizer.global_clipnorm == 1.0
    assert task.loss.label_smoothing == 0.2
    assert type(task.sampler).__name__ == "GreedySampler"
