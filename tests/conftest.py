"""Tiny random backbones, and random numbers that repeat."""

import gc
import os

# XLA compiles in a third less time if it need not make the result fast, and for JAX in
# half of what is left without its emitters of fused loops. It reads this when the
# backend starts.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
)
if os.environ.get("KERAS_BACKEND") == "jax":
    os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"

import keras
import keras_hub
import pytest


@pytest.fixture(autouse=True, scope="module")
def frozen_garbage():
    """Keras collects garbage whenever it quantises or deletes an attribute of a layer.

    What lives on when a file begins stays, and takes up to a second to look through.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def own_keras_home(tmp_path_factory):
    """What a reader keeps would hide a change of it from the next run."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        yield


@pytest.fixture(autouse=True, scope="module")
def seeded_file():
    """For what a file makes once, before `seeded` runs."""
    keras.utils.set_random_seed(7)


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
