"""A GPT-2 whose every weight matters, as a task of kftune's and of KerasHub's."""

import keras_hub
import pytest

from kftune.models import (
    GPT2Backbone,
    GPT2CausalLM,
    GPT2CausalLMPreprocessor,
)


@pytest.fixture
def stock_backbone(randomised):
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=400,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=12,
        max_sequence_length=40,
        dropout=0,
    )
    return randomised(backbone)


@pytest.fixture
def task(stock_backbone, gpt2_tokenizer, quick):
    preprocessor = GPT2CausalLMPreprocessor(gpt2_tokenizer, sequence_length=20)
    backbone = GPT2Backbone.from_keras_hub(stock_backbone)
    task = GPT2CausalLM(backbone, preprocessor)
    task.compile(sampler="greedy", **quick)
    return task


@pytest.fixture
def stock(stock_backbone, gpt2_tokenizer, quick):
    preprocessor = keras_hub.models.GPT2CausalLMPreprocessor(gpt2_tokenizer, 20)
    task = keras_hub.models.GPT2CausalLM(stock_backbone, preprocessor)
    task.compile(sampler="greedy", **quick)
    return task
