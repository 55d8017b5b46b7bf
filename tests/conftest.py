"""Tiny random backbones, and random numbers that repeat."""

import gc

import keras
import keras_hub
import pytest


def pytest_collection_finish():
    # Keras collects garbage whenever it quantises or deletes an attribute of a layer.
    # What was imported is never garbage, and takes 0.3 seconds to be looked through.
    gc.freeze()


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(7)


@pytest.fixture(scope="session")
def make_backbone():
    """Makes a KerasHub backbone of two layers by its kind, such as `"GPT2"`."""

    def make(kind, **changes):
        sizes = {
            "vocabulary_size": 50,
            "num_layers": 2,
            "num_heads": 2,
            "hidden_dim": 8,
            "intermediate_dim": 16,
            "dropout": 0,
        }
        if kind != "T5":  # T5 counts distances and has no table of positions.
            sizes["max_sequence_length"] = 16
        return getattr(keras_hub.models, f"{kind}Backbone")(**{**sizes, **changes})

    return make
