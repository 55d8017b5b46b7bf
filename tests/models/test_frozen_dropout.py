"""Dropout is off in what is frozen and nowhere else, and configs do not tell."""

import keras
import keras_hub
import numpy as np
import pytest

from kftune.models.frozen_weights import set_frozen

pytestmark = pytest.mark.backend


@pytest.fixture
def backbone(make_backbone):
    return make_backbone("Bert", dropout=0.5, num_segments=2)


def is_random(model, x):
    """Whether two calls in training mode differ."""
    first, second = (
        keras.ops.convert_to_numpy(keras.tree.flatten(model(x, training=True))[0])
        for _ in range(2)
    )
    return not np.array_equal(first, second)


def token_ids():
    ids = np.random.default_rng(0).integers(0, 50, (4, 5)).astype("int32")
    return {
        "token_ids": ids,
        "segment_ids": np.zeros_like(ids),
        "padding_mask": np.ones_like(ids),
    }


def embeddings_of(backbone):
    return [
        weight
        for layer in backbone.layers
        if layer.name.endswith("embedding") or layer.name == "embeddings_layer_norm"
        for weight in layer.weights
    ]


def test_dropout_between_frozen_layers_is_off(backbone):
    x = token_ids()
    inputs, first_block = backbone.inputs, backbone.transformer_layers[0]
    below = keras.Model(inputs, first_block.input)
    with_block = keras.Model(inputs, first_block.output)
    assert is_random(below, x)
    set_frozen(backbone, embeddings_of(backbone))
    assert not is_random(below, x)
    assert is_random(with_block, x)
    set_frozen(backbone, embeddings_of(backbone) + first_block.weights)
    assert not is_random(with_block, x)
    assert is_random(backbone, x)


def test_dropout_after_a_layer_that_is_partly_trained_stays_on(backbone):
    below = keras.Model(backbone.inputs, backbone.transformer_layers[0].input)
    set_frozen(backbone, embeddings_of(backbone)[1:])
    assert is_random(below, token_ids())


def test_dropout_of_the_head_stays_on(backbone):
    task = keras_hub.models.BertTextClassifier(backbone, num_classes=3, dropout=0.5)
    x = token_ids()
    set_frozen(task, backbone.weights)
    assert not is_random(backbone, x)
    assert is_random(task, x)


def test_freezing_again_starts_clean(backbone):
    x = token_ids()
    set_frozen(backbone, backbone.weights)
    assert not is_random(backbone, x)
    set_frozen(backbone, backbone.weights, dropout=True)
    assert is_random(backbone, x)
    set_frozen(backbone, backbone.weights)
    set_frozen(backbone, [])
    assert is_random(backbone, x)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.Dropout(0.5),
        keras.layers.SpatialDropout1D(0.5),
        keras.layers.GaussianDropout(0.5),
        keras.layers.AlphaDropout(0.5),
    ],
)
def test_the_config_keeps_the_rate_for_every_kind(layer):
    block = keras.Sequential(
        [keras.Input((5, 4)), keras.layers.Dense(4), layer], name="block"
    )
    model = keras.Sequential([keras.Input((5, 4)), block, keras.layers.Dense(2)])
    x = np.ones((3, 5, 4), "float32")
    assert is_random(model, x)
    set_frozen(model, block.weights)
    assert not is_random(model, x)
    assert layer.get_config()["rate"] == 0.5
    copy = keras.Sequential.from_config(model.get_config())
    assert is_random(copy, x)
