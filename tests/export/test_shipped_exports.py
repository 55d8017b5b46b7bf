"""Exports of the shipped presets, on lines of real text, against the live tasks."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import kftune
from kftune.export import export_saved_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow",
        reason="other backends export by a TensorFlow process",
    ),
]
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def lines():
    """500 lines of this project's pages, Markdown and all, 1 to 60 characters."""
    pages = "\n".join(path.read_text("utf-8") for path in sorted(DOCS.glob("*.md")))
    found = dict.fromkeys(line[:60].strip() for line in pages.splitlines())
    lines = [line for line in found if line][:500]
    assert len(lines) == 500
    return lines


def answers(task, folder, name, texts, **options):
    """What the exported default signature says, in batches of 50."""
    written = export_saved_model(task, folder / "toy", warmup=False, **options)
    serve = tf.saved_model.load(str(written)).signatures["serving_default"]
    return np.concatenate(
        [
            serve(text=tf.constant(texts[i : i + 50]))[name].numpy()
            for i in range(0, len(texts), 50)
        ]
    )


def in_batches(generate, texts):
    return [x for i in range(0, len(texts), 50) for x in generate(texts[i : i + 50])]


@pytest.mark.parametrize("sampler", ["greedy", kftune.decoding.BeamSearch(4)])
def test_completions(lines, tmp_path, sampler):
    # A search takes three times as long as the best token.
    lines = lines[: 500 if sampler == "greedy" else 150]
    task = kftune.models.GPT2CausalLM.from_preset("gpt2_tiny_en", sequence_length=64)
    task.compile(sampler=sampler)
    received = answers(task, tmp_path, "completion", lines)
    expected = in_batches(lambda some: task.generate(some, strip_prompt=True), lines)
    assert [text.decode() for text in received] == expected


def test_translations(lines, tmp_path):
    lines = lines[:150]
    task = kftune.models.TransformerSeq2SeqLM.from_preset(
        "transformer_tiny_en_de",
        encoder_sequence_length=48,
        decoder_sequence_length=48,
    )
    task.compile(sampler=kftune.decoding.BeamSearch(4))
    received = answers(task, tmp_path, "translation", lines, target_language="de")
    expected = in_batches(lambda some: task.generate(some, target_language="de"), lines)
    assert [text.decode() for text in received] == expected


def test_probabilities(lines, tmp_path):
    task = kftune.models.GPT2TextClassifier.from_preset("gpt2_tiny_en", num_classes=5)
    received = answers(task, tmp_path, "probabilities", lines)
    expected = keras.ops.softmax(task.predict(lines, verbose=0))
    np.testing.assert_allclose(received, expected, atol=1e-5)
