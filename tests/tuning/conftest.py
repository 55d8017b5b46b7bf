"""Tiny models with known numbers of parameters, and data for them."""

import keras
import keras_hub
import numpy as np
import pytest


@pytest.fixture
def gpt2(make_backbone):
    """A GPT-2 backbone whose dropout would show (half of all units)."""
    return make_backbone("GPT2", dropout=0.5)


@pytest.fixture
def classifier(gpt2):
    """A plain functional model, uncompiled: the backbone and a Dense head."""
    hidden = gpt2(gpt2.input)
    outputs = keras.layers.Dense(3, name="head")(hidden[:, -1])
    return keras.Model(gpt2.input, outputs)


@pytest.fixture
def bart(make_backbone):
    return keras_hub.models.BartSeq2SeqLM(make_backbone("Bart", dropout=0.5))


@pytest.fixture
def bert(make_backbone):
    backbone = make_backbone("Bert", dropout=0.1, num_segments=2)
    return keras_hub.models.BertTextClassifier(backbone, num_classes=3)


@pytest.fixture
def batch():
    """Token ids (B=6, T=5) without padding and labels (B,)."""
    rng = np.random.default_rng(0)
    token_ids = rng.integers(0, 50, (6, 5)).astype("int32")
    x = {"token_ids": token_ids, "padding_mask": np.ones_like(token_ids)}
    return x, np.array([0, 1, 2, 0, 1, 2])
