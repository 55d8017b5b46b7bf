"""The policy `"lora"`: where factors are, what is trained, and what they are."""

import re

import keras
import numpy as np
import pytest

from kftune.models import TransformerBackbone, attach_head
from kftune.tuning import GradualUnfreezing, freeze, merge
from kftune.tuning.lora import LoraSettings, lora_settings

pytestmark = pytest.mark.backend

HEAD = 8 * 3 + 3
# Of a query or value, D=8 and two heads of 4: A is (8, 2, rank) and B (rank, 4).
FACTOR = 8 * 2 + 4


def value(variable):
    return np.array(keras.ops.convert_to_numpy(variable))


def compile_(model):
    """Compiles in the way that is quickest for a few steps."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    eagerly = keras.config.backend() == "tensorflow"
    model.compile(keras.optimizers.Adam(0.01), loss, run_eagerly=eagerly)


def factors(model):
    return {w.path: w for w in model.weights if w.name.startswith("lora_")}


@pytest.mark.parametrize(
    ("policy", "rank", "layers"),
    [
        ("lora", 8, "query|value"),
        ("lora:rank=2", 2, "query|value"),
        ("lora:layers=key$", 8, "key$"),
        ("lora:rank=12,layers=(a|b){1,2},rank=3", 12, "(a|b){1,2},rank=3"),
    ],
)
def test_settings(policy, rank, layers):
    assert lora_settings(policy) == LoraSettings(rank, layers)


@pytest.mark.parametrize("policy", ["nothing", "regex:lora", "lorax", re.compile("a")])
def test_other_policies_ask_for_no_factors(policy):
    assert lora_settings(policy) is None


@pytest.mark.parametrize(
    "policy",
    [
        "lora:",
        "lora:rank=0",
        "lora:rank=-1",
        "lora:rank=two",
        "lora:rank=2layers=a",
        "lora:layers=(",
        "lora:layers=",
        "lora:alpha=2",
    ],
)
def test_policies_that_cannot_be_read_are_refused(policy, classifier):
    weights = len(classifier.weights)
    with pytest.raises(ValueError, match=f"Received: {re.escape(repr(policy))}"):
        freeze(classifier, policy)
    assert len(classifier.weights) == weights


@pytest.mark.long
@pytest.mark.parametrize(
    ("policy", "trained"),
    [
        ("lora", 2 * 2 * 8 * FACTOR),
        ("lora:rank=2", 2 * 2 * 2 * FACTOR),
        ("lora:rank=2,layers=layer_1/.*query", 2 * FACTOR),
        ("lora:rank=3,layers=token_embedding", 3 * (50 + 8)),
        ("lora:rank=3,layers=layer_1/feedforward_int", 3 * (8 + 16)),
    ],
)
def test_factors_and_the_head_are_trained(policy, trained, classifier, batch):
    compile_(classifier)
    before = value(classifier(batch[0]))
    report = freeze(classifier, policy)
    np.testing.assert_allclose(value(classifier(batch[0])), before, atol=1e-6)
    assert report.policy == policy
    assert report.trainable_params == trained + HEAD
    assert report.optimizer_bytes == 2 * 4 * (trained + HEAD)
    weights = {w.path: (w, value(w), w.trainable) for w in classifier.weights}
    classifier.fit(*batch, verbose=0, epochs=2)
    for path, (weight, was, is_trained) in weights.items():
        assert np.array_equal(value(weight), was) != is_trained, path


def test_an_output_of_its_own_is_frozen_too():
    backbone = TransformerBackbone(50, 1, 2, 8, 16, tie_output=False)
    freeze(backbone, "lora:rank=2")
    names = {weight.name for weight in backbone.trainable_weights}
    assert names == {"lora_kernel_a", "lora_kernel_b"}


def test_layers_that_take_no_part_get_no_factors(bart):
    task = attach_head(bart.backbone, 3)
    freeze(task, "lora:rank=2")
    assert len(factors(task)) == 2 * 2 * 2
    assert all("encoder_layer" in path for path in factors(task))


def test_the_same_policy_again_keeps_the_factors(classifier, batch):
    compile_(classifier)
    freeze(classifier, "lora:rank=2")
    classifier.fit(*batch, verbose=0)
    trained = {path: value(weight) for path, weight in factors(classifier).items()}
    assert all(weight.any() for weight in trained.values())
    freeze(classifier, "backbone")
    assert not any(weight.trainable for weight in factors(classifier).values())
    freeze(classifier, "lora:rank=2,layers=query|value")
    assert all(weight.trainable for weight in factors(classifier).values())
    for path, weight in factors(classifier).items():
        np.testing.assert_array_equal(value(weight), trained[path])


@pytest.mark.parametrize("policy", ["lora:rank=3", "lora:rank=2,layers=key"])
def test_other_factors_need_a_merge_first(policy, classifier):
    freeze(classifier, "lora:rank=2")
    before = factors(classifier).keys()
    message = r"ranks \[2\] in .*layer_0/self_attention/query.*merge\(model\)"
    with pytest.raises(ValueError, match=message):
        freeze(classifier, policy)
    assert factors(classifier).keys() == before
    assert classifier.freeze_policy == "lora:rank=2"
    merge(classifier)
    freeze(classifier, policy)


def test_a_layer_that_is_not_there_is_refused(classifier):
    message = r"token_embedding.*Received: 'nowhere'"
    with pytest.raises(ValueError, match=message):
        freeze(classifier, "lora:layers=nowhere")


def test_gradual_unfreezing_takes_factors_that_are_there(classifier, batch):
    compile_(classifier)
    schedule = ["backbone", "lora:rank=2"]
    with pytest.raises(ValueError, match=r"epoch 1: .*rank=2.*which has none"):
        classifier.fit(*batch, verbose=0, callbacks=[GradualUnfreezing(schedule)])
    freeze(classifier, "lora:rank=2")
    unfreezing = GradualUnfreezing(schedule)
    classifier.fit(*batch, verbose=0, callbacks=[unfreezing])
    second = [w for path, w in factors(classifier).items() if path.endswith("_b")]
    assert not any(value(weight).any() for weight in second)
    classifier.fit(*batch, initial_epoch=1, epochs=2, verbose=0, callbacks=[unfreezing])
    assert all(value(weight).any() for weight in second)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16", "bfloat16"])
def test_factors_are_float32_in_lower_precision(dtype, batch, make_backbone):
    if (dtype, keras.config.backend()) == ("mixed_float16", "jax"):
        pytest.skip("JAX has no products of float16 on a CPU, with LoRA or without")
    task = attach_head(make_backbone("GPT2", dtype=dtype), 3)
    compile_(task)
    freeze(task, "lora:rank=2")
    task.fit(*batch, verbose=0)
    assert len(factors(task)) == 2 * 2 * 2
    for path, weight in factors(task).items():
        assert weight.dtype == "float32", path
        # Some of the bits that neither of the short formats has.
        low = value(weight).view("uint32") & 0xFFF
        assert low.any(), path
    slots = [v for v in task.optimizer.variables if "lora" in v.path]
    assert len(slots) == 2 * len(factors(task))
    assert {slot.dtype for slot in slots} == {"float32"}
