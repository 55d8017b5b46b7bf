"""A small language model for the subcommands."""

import keras
import pytest

import kftune


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved GPT-2 of random weights."""
    tokenizer = kftune.models.load_tokenizer("gpt2_tiny_en")
    keras.utils.set_random_seed(1)
    backbone = kftune.models.GPT2Backbone(
        tokenizer.vocabulary_size(), 1, 2, 8, 16, max_sequence_length=64
    )
    preprocessor = kftune.models.GPT2CausalLMPreprocessor(tokenizer, 48)
    folder = tmp_path_factory.mktemp("model")
    kftune.models.GPT2CausalLM(backbone, preprocessor).save_to_preset(folder)
    return folder
