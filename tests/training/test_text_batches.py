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
JIT = {"jit_compile": keras.backend.backend() == "jax"}
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
    eager = keras.backend.backend() == "tensorflow"  # traced graphs take longer
    task.compile(keras.optimizers.SGD(0.1), run_eagerly=eager, **JIT)
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


@pytest.mark.long
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


def trained_weights(task, data, start):
    """Weights after a step on all of the data, and the loss before it."""
    for weight, value in zip(task.weights, start, strict=True):
        weight.assign(value)
    history = task.fit(data, verbose=0, shuffle=False).history
    return history["loss"][0], [
        keras.ops.convert_to_numpy(weight) for weight in task.weights
    ]


@pytest.mark.long
@pytest.mark.parametrize("pack_to", [24, 60])  # of 24 positions
def test_texts_in_one_row_are_learnt_as_if_alone(task, pack_to):
    task.compile(keras.optimizers.SGD(0.1), **JIT)
    splits = {"test": {"text": QUESTIONS, "answer": ANSWERS}}
    start = [keras.ops.convert_to_numpy(weight) for weight in task.weights]
    received = []
    for options in ({"boundaries": [24]}, {"pack_to": pack_to}):
        batches = text_batches(task, splits, answer="answer", batch_size=12, **options)
        received.append(trained_weights(task, batches["test"], start))
    assert len(batches["test"].rows.lengths) <= 8
    (alone, expected), (packed, weights) = received
    assert packed == pytest.approx(alone, rel=1e-5)
    for got, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    assert any(
        (before != got).any() for before, got in zip(start, weights, strict=True)
    )
    # The logits are those of the texts, too.
    x = batches["test"][0][0]
    row = np.flatnonzero(x["segment_ids"][0] == 2)
    logits = keras.ops.convert_to_numpy(task(x))[0, row]
    ids = x["token_ids"][:1, row]
    one = task({"token_ids": ids, "padding_mask": np.ones_like(ids)})
    np.testing.assert_allclose(
        logits, keras.ops.convert_to_numpy(one)[0], rtol=1e-4, atol=1e-5
    )


def test_long_texts_are_cut_into_chunks(task):
    text = " ".join(QUESTIONS)
    whole = task.preprocessor.tokenize_rows([text], cut=False)[0].tolist()
    splits = {"test": {"text": [text]}}
    batches = text_batches(task, splits, overlap=4, batch_size=1)["test"]
    learnt = []
    for index in np.argsort(batches.order):
        x, y, weight = batches[int(index)]
        assert x["token_ids"].shape[1] <= 24
        learnt += y[weight].tolist()
    assert len(whole) > 60 and learnt == whole[1:]
    with pytest.raises(ValueError, match="answer='answer', overlap=4"):
        text_batches(task, splits, answer="answer", overlap=4)
