"""A tiny vocabulary and a GPT-2 for it."""

import keras
import numpy as np
import pytest

from kftune.models import (
    GPT2Backbone,
    GPT2CausalLM,
    GPT2CausalLMPreprocessor,
    load_gpt2_tokenizer,
    train_gpt2_tokenizer,
)

CORPUS = [
    "The film is good, the film isn't bad, and it's what they've said: see it.",
    "A slow start, 2 hours 15 minutes of waiting; then 1999 all over again!",
    "I'd say   so\n\nwhy not\n\n\ttabs  and spaces   too, naïve café “quotes” …",
]


@pytest.fixture(scope="session")
def bpe_folder(tmp_path_factory):
    """Folder with `vocabulary.json` and `merges.txt` of a small byte-level BPE."""
    folder = tmp_path_factory.mktemp("bpe")
    return train_gpt2_tokenizer(CORPUS * 4, folder, vocabulary_size=400)


@pytest.fixture
def gpt2_tokenizer(bpe_folder):
    return load_gpt2_tokenizer(bpe_folder)


@pytest.fixture
def gpt2_backbone():
    return GPT2Backbone(
        vocabulary_size=400,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=24,
        dropout=0,
    )


@pytest.fixture
def gpt2_lm(gpt2_backbone, gpt2_tokenizer):
    return GPT2CausalLM(gpt2_backbone, GPT2CausalLMPreprocessor(gpt2_tokenizer, 24))


@pytest.fixture
def randomised():
    """Function that gives a backbone weights with which every one of them matters.

    A language model then says many tokens, not one for ever.
    """

    def randomise(backbone):
        rng = np.random.default_rng(3)
        for weight in backbone.weights:
            noise = rng.normal(0, 1, weight.shape)
            if weight.name == "gamma":
                weight.assign(1 + 0.2 * noise)
            else:
                small = weight.name in ("beta", "bias")
                weight.assign(noise * (0.1 if small else 0.7))
        return backbone

    return randomise


@pytest.fixture
def quick():
    """Options of `compile` that save the time of XLA where a backend can do without."""
    return {"jit_compile": keras.backend.backend() == "jax"}
