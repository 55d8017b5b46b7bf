"""What decays, with zero gradients: weight decay is then all that a step does."""

import keras
import numpy as np
import pytest

from kftune.models import attach_head
from kftune.training import adamw, muon, spare_bias_and_norm
from kftune.tuning import freeze

pytestmark = pytest.mark.backend

KINDS = {"GPT2": {"bias", "gamma", "beta"}, "T5": {"bias", "weight"}}


def values(model):
    weights = {weight.path: weight for weight in model.trainable_weights}
    return {path: keras.ops.convert_to_numpy(w) for path, w in weights.items()}


def shrunk(model, optimizer):
    """Paths of the weights that a step without gradients has changed."""
    weights = model.trainable_weights
    for weight in weights:
        weight.assign(np.ones(weight.shape))
    optimizer.apply([keras.ops.zeros(w.shape) for w in weights], weights)
    after = values(model)
    for path, value in after.items():
        assert np.allclose(value, 1) or np.allclose(value, 0.75), path
    return {path for path, value in after.items() if np.allclose(value, 0.75)}


def all_but(model, names):
    paths = [weight.path for weight in model.trainable_weights]
    return {path for path in paths if path.split("/")[-1] not in names}


@pytest.mark.parametrize("kind", KINDS)
def test_biases_and_norms_do_not_decay(make_backbone, kind):
    task = attach_head(make_backbone(kind), 2)
    optimizer = adamw(task, 0.5, total_steps=1, weight_decay=0.5)
    expected = all_but(task, KINDS[kind])
    assert shrunk(task, optimizer) == expected
    assert any("embedding" in path for path in expected)
    assert len(expected) < len(task.trainable_weights)


def test_they_do_not_under_muon_either(make_backbone):
    model = make_backbone("GPT2")
    optimizer = muon(model, 0.5)
    optimizer.weight_decay = optimizer.adam_weight_decay = 0.5
    assert shrunk(model, optimizer) == all_but(model, KINDS["GPT2"])


def test_they_do_not_after_freezing(make_backbone):
    task = attach_head(make_backbone("GPT2"), 2)
    task.compile(adamw(task, 0.5, total_steps=1, weight_decay=0.5))
    freeze(task, "all_but_last:1")
    expected = all_but(task, KINDS["GPT2"])
    assert shrunk(task, task.optimizer) == expected
    assert not any("embedding" in path for path in expected)


def test_the_rate_rises_for_a_tenth_of_the_steps_and_gradients_are_clipped(
    make_backbone,
):
    optimizer = adamw(make_backbone("GPT2"), 0.5, total_steps=100)
    schedule = optimizer.get_config()["learning_rate"]["config"]
    assert (schedule["peak"], schedule["total_steps"]) == (0.5, 100)
    assert (schedule["warmup_steps"], schedule["decay_steps"]) == (10, 90)
    assert optimizer.global_clipnorm == 1.0
    assert optimizer.weight_decay == 0.01


def test_another_schedule_and_warmup_are_taken(make_backbone):
    optimizer = adamw(make_backbone("GPT2"), 0.5, 100, schedule="cosine", warmup=0.2)
    schedule = optimizer.get_config()["learning_rate"]
    assert schedule["class_name"] == "CosineDecay"
    assert (schedule["config"]["warmup_steps"], schedule["config"]["decay_steps"]) == (
        20,
        80,
    )


def test_an_optimizer_in_use_is_refused(make_backbone):
    model = make_backbone("GPT2")
    optimizer = keras.optimizers.AdamW()
    optimizer.build(model.trainable_variables)
    with pytest.raises(ValueError, match="not been built.*AdamW at step 0"):
        spare_bias_and_norm(optimizer, model)
