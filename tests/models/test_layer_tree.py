"""What is read from private names of Keras, and the search for a backbone."""

import keras
import keras_hub
import pytest

from kftune.models.layer_tree import (
    backbone_of,
    base_of,
    is_kind,
    is_lora_factor,
    lora_base,
    lora_layers,
    sublayers,
    weights_made_to_train,
)


@pytest.fixture
def model():
    inner = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(3, name="dense")], name="inner"
    )
    return keras.Sequential(
        [
            keras.Input((4,)),
            inner,
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dropout(0.5, name="dropout"),
        ],
        name="outer",
    )


def test_sublayers_of_all_depths_come_once(model):
    names = [layer.name for layer in sublayers(model) if "input" not in layer.name]
    assert names[0] == "outer"
    assert sorted(names) == ["dense", "dropout", "inner", "norm", "outer"]


def test_frozen_weights_were_made_to_train_and_statistics_were_not(model):
    expected = {"kernel", "bias", "gamma", "beta"}
    assert {weight.name for weight in weights_made_to_train(model)} == expected
    for layer in sublayers(model):
        layer.trainable = False
    assert not model.trainable_weights
    assert {weight.name for weight in weights_made_to_train(model)} == expected


@pytest.mark.parametrize(
    ("layer", "shape", "base"),
    [
        (keras.layers.Dense(3), (None, 4), "kernel"),
        (keras.layers.EinsumDense("ab,bc->ac", 3), (None, 4), "kernel"),
        (keras.layers.Embedding(5, 4), (None,), "embeddings"),
    ],
)
def test_lora_factors_stand_in_for_their_base(layer, shape, base):
    assert lora_layers(layer, enabled=False) == []
    layer.build(shape)
    before = {weight.name for weight in weights_made_to_train(layer)}
    assert lora_base(layer).name == base
    assert (lora_layers(layer), lora_layers(layer, enabled=False)) == ([], [layer])
    layer.enable_lora(2)
    assert lora_layers(layer) == [layer]
    assert lora_base(layer).name == base
    factors = {weight.name for weight in layer.weights if is_lora_factor(weight)}
    assert factors == {f"lora_{base}_a", f"lora_{base}_b"}
    after = {weight.name for weight in weights_made_to_train(layer)}
    assert base in before
    assert after == (before - {base}) | factors


def test_a_shared_weight_comes_once():
    inputs = keras.Input((4,))
    shared = keras.layers.Dense(4)
    model = keras.Model(inputs, shared(keras.Sequential([shared])(inputs)))
    assert len(weights_made_to_train(model)) == 2


def test_the_backbone_is_found_where_it_is(make_backbone):
    backbone = make_backbone("GPT2")
    assert backbone_of(backbone) is backbone
    assert backbone_of(keras_hub.models.GPT2CausalLM(backbone)) is backbone
    states = backbone(backbone.input)
    functional = keras.Model(backbone.input, keras.layers.Dense(2)(states))
    assert backbone_of(functional) is backbone
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    assert backbone_of(plain) is None
    assert base_of(functional) is backbone
    assert base_of(plain) is plain


def test_kinds_are_told_by_the_names_of_classes():
    class Tokens(keras.layers.Embedding):
        pass

    assert is_kind(Tokens(3, 2), "Embedding")
    assert is_kind(keras_hub.layers.PositionEmbedding(4), "Embedding")
    assert not is_kind(keras.layers.Dense(2, name="Embedding"), "Embedding")
