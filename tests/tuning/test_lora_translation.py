"""LoRA on an encoder-decoder: what is trained, and what is saved."""

import keras
import numpy as np
import pytest
from keras import ops

from kftune.models import TransformerBackbone, TransformerSeq2SeqLM, load_backbone
from kftune.tuning import freeze

pytestmark = pytest.mark.backend


@pytest.fixture
def task():
    keras.utils.set_random_seed(1)
    backbone = TransformerBackbone(30, 2, 2, 8, 16, 0.0, 16)
    return TransformerSeq2SeqLM(backbone)


@pytest.fixture
def batch():
    rng = np.random.default_rng(2)
    tokens = rng.integers(3, 30, (3, 4, 6)).astype("int32")
    mask = np.ones((4, 6), "int32")
    x = {
        "encoder_token_ids": tokens[0],
        "encoder_padding_mask": mask,
        "decoder_token_ids": tokens[1],
        "decoder_padding_mask": mask,
    }
    return x, tokens[2]


def logits(task, batch):
    return ops.convert_to_numpy(task(batch[0]))


def train(task, batch):
    is_tensorflow = keras.backend.backend() == "tensorflow"
    task.compile(keras.optimizers.Adam(0.05), run_eagerly=is_tensorflow)
    task.fit(*batch, epochs=3, verbose=0)


def values(weights):
    return [ops.convert_to_numpy(weight) for weight in weights]


def test_factors_alone_are_trained(task, batch):
    before = logits(task, batch)
    report = freeze(task, "lora:rank=2")
    np.testing.assert_allclose(logits(task, batch), before, atol=1e-6)
    # Queries and values of three attentions in each of two layers: A is (8, heads=2,
    # rank=2), B (rank=2, 4).
    factors = 2 * 3 * 2 * (8 * 2 * 2 + 2 * 4)
    plain = TransformerBackbone(30, 2, 2, 8, 16, 0.0, 16).count_params()
    assert report.trainable_params == factors
    assert report.frozen_params == plain
    assert report.trained_share == pytest.approx(factors / (factors + plain))
    frozen = values(task.non_trainable_weights)
    train(task, batch)
    for was, now in zip(frozen, values(task.non_trainable_weights), strict=True):
        np.testing.assert_array_equal(was, now)
    assert np.abs(logits(task, batch) - before).max() > 1e-3


@pytest.mark.long
def test_what_is_saved_is_merged(task, batch, tmp_path):
    freeze(task, "lora:rank=2")
    train(task, batch)
    expected = logits(task, batch)
    task.save_to_preset(tmp_path / "model")
    loaded = TransformerSeq2SeqLM(load_backbone(tmp_path / "model"))
    assert not any("lora" in weight.name for weight in loaded.weights)
    np.testing.assert_allclose(logits(loaded, batch), expected, atol=1e-5)

    # Why a stopped LoRA run cannot go on: its factors are merged and zero when loaded.
    task.save_weights(tmp_path / "epoch.weights.h5")
    task.load_weights(tmp_path / "epoch.weights.h5")
    np.testing.assert_allclose(logits(task, batch), expected, atol=1e-5)
    assert not any(value.any() for value in values(task.trainable_weights))
