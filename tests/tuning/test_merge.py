"""Merging factors: the same outputs, without the factors."""

import keras
import numpy as np
import pytest

from kftune.models import TransformerBackbone, TransformerSeq2SeqLM, attach_head
from kftune.tuning import freeze, merge

pytestmark = pytest.mark.backend


def value(variable):
    return np.array(keras.ops.convert_to_numpy(variable))


def draw_factors(model):
    """Factors of a size that shows in the outputs."""
    rng = np.random.default_rng(1)
    drawn = [w for w in model.weights if w.name.startswith("lora_")]
    for weight in drawn:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    return len(drawn)


@pytest.mark.long
@pytest.mark.parametrize(
    ("policy", "layers"),
    [("lora:rank=2", 4), ("lora:rank=2,layers=embedding|dense", 5)],
)
def test_a_merged_model_predicts_what_it_did(policy, layers, gpt2, batch):
    task = attach_head(gpt2, 3)
    names = [weight.path for weight in task.weights]
    plain = task.predict(batch[0], verbose=0)
    freeze(task, policy)
    assert draw_factors(task) == 2 * layers
    # Traced with the factors, and so to be traced anew.
    expected = task.predict(batch[0], verbose=0)
    assert abs(expected - plain).max() > 1e-2
    assert merge(task) == layers
    assert [weight.path for weight in task.weights] == names
    np.testing.assert_allclose(task.predict(batch[0], verbose=0), expected, atol=1e-5)


def test_the_kernel_is_the_sum_that_numpy_gives():
    dense = keras.layers.Dense(3)
    model = keras.Sequential([keras.Input((4,)), dense])
    freeze(model, "lora:rank=2,layers=dense")
    draw_factors(model)
    expected = value(dense._kernel) + value(dense.lora_kernel_a) @ value(
        dense.lora_kernel_b
    )
    merge(model)
    np.testing.assert_allclose(value(dense.kernel), expected, rtol=1e-5, atol=1e-6)
    assert "lora_rank" not in dense.get_config()


@pytest.mark.long
def test_what_was_frozen_stays_so_until_the_next_policy(gpt2, batch):
    task = attach_head(gpt2, 3)
    freeze(task, "lora:rank=2")
    merge(task)
    assert {w.path.split("/")[0] for w in task.trainable_weights} == {task.head.name}
    task.fit(*batch, verbose=0)
    report = freeze(task, "nothing")
    assert report.trained_share == 1
    task.fit(*batch, verbose=0)


def test_a_language_model_of_which_nothing_is_trained_any_more():
    task = TransformerSeq2SeqLM(TransformerBackbone(30, 1, 2, 8, 16))
    freeze(task, "lora:rank=2")
    assert merge(task) == 2 * 3
    assert task.trainable_weights == []
    freeze(task, "encoder")
    assert task.trainable_weights


def test_a_model_without_factors_is_refused(classifier):
    with pytest.raises(ValueError, match=f"Received: Functional '{classifier.name}'"):
        merge(classifier)
