import keras
import numpy as np
import pytest
from keras import ops

from kftune.models import (
    TransformerBackbone,
    TransformerSeq2SeqLM,
    TransformerSeq2SeqLMPreprocessor,
    train_marian_tokenizer,
    with_positions,
)

pytestmark = pytest.mark.backend

TEXTS = ["the red house", "a blue car is here", "two old books"] * 5


def make_task(position_embedding):
    keras.utils.set_random_seed(1)
    tokenizer = train_marian_tokenizer(TEXTS, TEXTS, 24, byte_fallback=False)
    backbone = TransformerBackbone(
        tokenizer.vocabulary_size(),
        *(1, 2, 8, 16, 0.0),
        max_sequence_length=8,
        position_embedding=position_embedding,
    )
    preprocessor = TransformerSeq2SeqLMPreprocessor(tokenizer, 8, 8)
    return TransformerSeq2SeqLM(backbone, preprocessor)


def test_what_fitted_before_stays_the_same():
    task = make_task("sinusoidal")
    longer = with_positions(task, 24)
    sizes = [each.backbone.max_positions for each in (task, longer)]
    assert sizes == [8, 24]
    assert longer.preprocessor.encoder_sequence_length == 24
    ids = np.arange(4, 20, dtype="int32").reshape(2, 8)
    states = [
        ops.convert_to_numpy(each.backbone.encode(ids, np.ones_like(ids)))
        for each in (task, longer)
    ]
    np.testing.assert_allclose(states[1], states[0], atol=1e-6)
    text = " ".join(TEXTS[:6])
    rows = [t.preprocessor.tokenize_rows([text], "source")[0] for t in (task, longer)]
    assert len(rows[0]) == 8 < len(rows[1]) <= 24
    longer.compile(sampler="greedy")
    assert isinstance(longer.generate(text, max_length=10), str)


def test_what_lora_learned_comes_along():
    task = make_task("sinusoidal")
    task.backbone.enable_lora(2)
    for weight in task.backbone.trainable_weights:
        weight.assign(np.random.default_rng(0).normal(0, 0.3, weight.shape))
    longer = with_positions(task, 24)
    ids = np.arange(4, 20, dtype="int32").reshape(2, 8)
    states = [
        ops.convert_to_numpy(each.backbone.encode(ids, np.ones_like(ids)))
        for each in (task, longer)
    ]
    np.testing.assert_allclose(states[1], states[0], atol=1e-5)


def test_learned_positions_do_not_grow():
    task = make_task("learned")
    assert with_positions(task, 6).preprocessor.encoder_sequence_length == 6
    with pytest.raises(ValueError, match="at most 8, .* Received: 9"):
        with_positions(task, 9)
