"""Tiny models with known numbers of parameters, and data for them."""

import keras
import keras_hub
import numpy as np
import pytest

SIZES = {
    "vocabulary_size": 50,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 16,
    "max_sequence_length": 16,
}


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(7)


@pytest.fixture
def gpt2():
    """A GPT-2 backbone whose dropout would show (half of all units)."""
    return keras_hub.models.GPT2Backbone(dropout=0.5, **SIZES)


@pytest.fixture
def classifier(gpt2):
    """A plain functional model, uncompiled: the backbone and a Dense head."""
    hidden = gpt2(gpt2.input)
    outputs = keras.layers.Dense(3, name="head")(hidden[:, -1])
    return keras.Model(gpt2.input, outputs)


@pytest.fixture
def bart():
    backbone = keras_hub.models.BartBackbone(dropout=0.5, **SIZES)
    return keras_hub.models.BartSeq2SeqLM(backbone)


@pytest.fixture
def bert():
    backbone = keras_hub.models.BertBackbone(num_segments=2, **SIZES)
    return keras_hub.models.BertTextClassifier(backbone, num_classes=3)


@pytest.fixture
def batch():
    """Token ids (B=6, T=5) without padding and labels (B,)."""
    rng = np.random.default_rng(0)
    token_ids = rng.integers(0, 50, (6, 5)).astype("int32")
    x = {"token_ids": token_ids, "padding_mask": np.ones_like(token_ids)}
    return x, np.array([0, 1, 2, 0, 1, 2])
