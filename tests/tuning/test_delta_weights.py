"""Which weights a delta holds, and the hash of the others."""

import hashlib

import keras
import numpy as np
import pytest
from delta_task import draw, make_task

from kftune.tuning import freeze
from kftune.tuning.delta_weights import delta_weights, plain_array

pytestmark = pytest.mark.backend


@pytest.mark.parametrize(
    ("policy", "parts"),
    [
        ("backbone", {"head"}),
        ("all_but_last:1", {"head", "transformer_layer_1"}),
        ("lora:rank=2", {"head", "transformer_layer_0", "transformer_layer_1"}),
    ],
)
def test_a_delta_has_what_is_trained(policy, parts):
    task = make_task()
    freeze(task, policy)
    weights = delta_weights(task)
    trained = {id(weight) for weight in task.trainable_weights}
    assert {id(weight) for weight in weights.own.values()} == trained
    assert {weight.path.split("/")[0] for weight in weights.own.values()} == parts
    everything = [id(weight) for weight in weights.all.values()]
    assert sorted(everything) == sorted(map(id, task.weights))


def test_factors_belong_to_it_even_if_they_are_frozen():
    task = make_task()
    freeze(task, "lora:rank=2,layers=layer_0/.*query")
    freeze(task, "backbone")
    weights = delta_weights(task)
    (key, layer), *others = weights.adapted.items()
    assert not others
    assert layer.path == "transformer_layer_0/self_attention_layer/query"
    assert weights.own[f"{key}.a"] is layer.lora_kernel_a
    assert weights.own[f"{key}.b"] is layer.lora_kernel_b
    assert weights.base[key].path == f"{layer.path}/kernel"


def test_moving_statistics_belong_to_it_if_their_layer_is_trained():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.BatchNormalization(name="below"),
            keras.layers.BatchNormalization(name="above"),
        ]
    )
    freeze(model, "regex:below")
    own = {weight.path.split("/", 1)[1] for weight in delta_weights(model).own.values()}
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    assert own == {f"above/{name}" for name in names}


def test_the_hash_is_that_of_hashlib_over_the_frozen_weights():
    task = make_task()
    freeze(task, "all_but_last:1")
    digest = hashlib.sha256()
    for key, weight in enumerate(layers_of(task)):
        if not weight.trainable:
            value = np.array(keras.ops.convert_to_numpy(weight))
            digest.update(f"{key}\0{value.shape}\0".encode() + value.tobytes())
    found = delta_weights(task).base_fingerprint()
    assert found == digest.hexdigest()
    draw(task)
    assert delta_weights(task).base_fingerprint() == found
    position = task.backbone.get_layer("position_embedding").weights[0]
    position.assign(np.nextafter(keras.ops.convert_to_numpy(position), 9))
    assert delta_weights(task).base_fingerprint() != found


def layers_of(task):
    """Weights of the backbone's layers and then of the head, as they are made."""
    weights = [w for layer in task.backbone.layers for w in layer.weights]
    return [*weights, *task.head.weights]


def test_lower_precision_is_widened_without_loss():
    dense = keras.layers.Dense(2, dtype="bfloat16")
    dense.build((None, 3))
    values = np.array([[1.5, -0.25], [3.0, 0.125], [0, 2]], "float32")
    dense.kernel.assign(values)
    assert plain_array(dense.kernel).dtype == "float32"
    np.testing.assert_array_equal(plain_array(dense.kernel), values)
