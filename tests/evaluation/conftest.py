"""A tiny language model for the tests of what scores its texts."""

import keras
import pytest

import kftune


@pytest.fixture(scope="module")
def language_model():
    """A random GPT-2 of one block and 24 positions, with a real vocabulary."""
    keras.utils.set_random_seed(3)
    tokenizer = kftune.models.load_tokenizer("gpt2_tiny_en")
    backbone = kftune.models.GPT2Backbone(
        tokenizer.vocabulary_size(), 1, 2, 16, 32, dropout=0.0, max_sequence_length=24
    )
    # Larger weights: logits that differ from token to token.
    backbone.set_weights([weight * 20 for weight in backbone.get_weights()])
    preprocessor = kftune.models.GPT2CausalLMPreprocessor(tokenizer, 24)
    return kftune.models.GPT2CausalLM(backbone, preprocessor)
