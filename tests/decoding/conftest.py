"""Random models of transformers, and kftune's tasks with their weights."""

import keras
import pytest
from hf_references import make_gpt2
from marian_pair import MarianPair

import kftune


@pytest.fixture(scope="module")
def marian(tmp_path_factory):
    return MarianPair(tmp_path_factory.mktemp("marian"))


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    """A random GPT-2 of transformers, and kftune's task with its weights."""
    folder = tmp_path_factory.mktemp("gpt2")
    reference = make_gpt2()
    reference.save_pretrained(folder)
    return reference, kftune.models.GPT2CausalLM.from_preset(folder, preprocessor=None)


@pytest.fixture
def quick():
    """Options of `compile` that save the time of XLA where a backend can do without."""
    return {"jit_compile": keras.backend.backend() == "jax"}


@pytest.fixture(scope="module")
def writer():
    """A tiny GPT-2 of random weights, with the tokenizer of a preset."""
    tokenizer = kftune.models.load_tokenizer("gpt2_tiny_en")
    keras.utils.set_random_seed(1)
    backbone = kftune.models.GPT2Backbone(
        tokenizer.vocabulary_size(), 1, 2, 8, 16, max_sequence_length=64
    )
    for weight in backbone.trainable_weights:
        weight.assign(keras.random.normal(weight.shape, stddev=1.0))
    preprocessor = kftune.models.GPT2CausalLMPreprocessor(tokenizer, 48)
    return kftune.models.GPT2CausalLM(backbone, preprocessor)
