"""Batches of texts, and what a GPT-2 learns of them, against NumPy."""

import keras
import numpy as np
import pytest
from datasets import Dataset

from kftune.models import (
    GPT2Backbone,
    GPT2CausalLM,
    GPT2CausalLMPreprocessor,
    load_gpt2_tokenizer,
    train_gpt2_tokenizer,
)
from kftune.training import text_batches

pytestmark = pytest.mark.backend

QUESTIONS = [f"film {i % 3} is{' very' * (i % 4)} what?" for i in range(12)]
ANSWERS = [f" fine{' !' * (i % 5)}" for i in range(12)]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bpe")
    train_gpt2_tokenizer(QUESTIONS + ANSWERS, folder, vocabulary_size=290)
    return load_gpt2_tokenizer(folder)


@pytest.fixture
def task(tokenizer):
    size = tokenizer.vocabulary_size()
    backbone = GPT2Backbone(size, 2, 2, 8, 16, dropout=0.0, max_sequence_length=24)
    task = GPT2CausalLM(backbone, GPT2CausalLMPreprocessor(tokenizer, 24))
    rng = np.random.default_rng(3)
    for weight in task.weights:
        weight.assign(rng.normal(0, 0.4, weight.shape))
    compiled = keras.backend.backend() == "jax"
    task.compile(keras.optimizers.SGD(0.1), jit_compile=compiled)
    return task


def negative_log_probabilities(task, row):
    """Of each token of a row behind its first, computed from the logits."""
    ids = np.array([row[:-1]])
    logits = task({"token_ids": ids, "padding_mask": np.ones_like(ids)})
    logits = keras.ops.convert_to_numpy(logits)[0].astype("float64")
    total = np.log(np.exp(logits).sum(axis=-1))
    return total - logits[np.arange(len(logits)), row[1:]]


def answer_loss(task):
    """Mean over the tokens of all answers, each pair alone."""
    tokenizer, losses = task.preprocessor.tokenizer, []
    end = tokenizer.end_token_id
    for question, answer in zip(QUESTIONS, ANSWERS, strict=True):
        learnt = [*tokenizer(answer), end]
        found = negative_log_probabilities(task, [end, *tokenizer(question), *learnt])
        losses.extend(found[-len(learnt) :])
    return np.mean(losses)


def test_the_loss_of_pairs_is_that_of_the_answers(task):
    expected = answer_loss(task)
    loss, _ = task.evaluate(QUESTIONS, ANSWERS, batch_size=12, verbose=0)
    assert loss == pytest.approx(expected, rel=1e-4)
    rows = {"question": QUESTIONS, "answer": ANSWERS}
    columns = {"text": "question", "answer": "answer"}
    options = {"batch_size": 4, "boundaries": [8, 10, 16]}
    batches = text_batches(task, {"test": rows}, **columns, **options)["test"]
    assert len({x["token_ids"].shape for x, _, _ in batches}) > 1
    losses = [
        (weight.sum(), task.evaluate(x, y, sample_weight=weight, verbose=0)[0])
        for x, y, weight in batches
    ]
    total = sum(count for count, _ in losses)
    mean = sum(count * loss for count, loss in losses) / total
    assert mean == pytest.approx(expected, rel=1e-4)


def test_answers_are_learnt_from_batches_and_from_lists(task):
    before = answer_loss(task)
    rows = Dataset.from_dict({"text": QUESTIONS, "answer": ANSWERS})
    splits = {"train": rows, "validation": rows}
    batches = text_batches(task, splits, answer="answer", batch_size=4, seed=3)
    assert [data.shuffle for data in batches.values()] == [True, False]
    assert batches["train"].seed == 3
    history = task.fit(
        batches["train"],
        validation_data=batches["validation"],
        epochs=2,
        shuffle=False,
        verbose=0,
    ).history
    after = answer_loss(task)
    assert after < before - 0.1 and len(history["val_loss"]) == 2
    validation = {"validation_data": (QUESTIONS, ANSWERS)}
    task.fit(QUESTIONS, ANSWERS, batch_size=4, epochs=2, verbose=0, **validation)
    assert answer_loss(task) < after - 0.1


def test_all_of_a_text_is_learnt(task):
    batches = text_batches(task, {"test": {"text": QUESTIONS}}, batch_size=3)
    expected = sorted(
        row.tolist() for row in task.preprocessor.tokenize_rows(QUESTIONS)
    )
    received = []
    for x, y, weight in batches["test"]:
        np.testing.assert_array_equal(weight, x["padding_mask"])
        for ids, following, real in zip(x["token_ids"], y, weight, strict=True):
            received.append([*ids[real].tolist(), following[real][-1].item()])
    assert sorted(received) == expected
