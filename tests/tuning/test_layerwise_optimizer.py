import keras
import numpy as np
import pytest

from kftune.models import TransformerBackbone, TransformerSeq2SeqLM
from kftune.models.layer_tree import sublayers
from kftune.tuning import freeze, layerwise_optimizer
from kftune.tuning.layerwise_optimizer import weight_depths

pytestmark = pytest.mark.backend

RATE = 0.1
EAGERLY = {
    "run_eagerly": keras.backend.backend() == "tensorflow",
    "jit_compile": keras.backend.backend() == "jax",
}


def sgd(factor):
    return keras.optimizers.SGD(RATE * factor)


def adam(factor):
    return keras.optimizers.Adam(RATE * factor)


def depths_by_layer(model, *words):
    """The depths of weights that have a word in their path."""
    depths = {word: set() for word in words}
    for weight, depth in weight_depths(model):
        for word in words:
            if word in weight.path:
                depths[word].add(depth)
    return depths


def trained(model, optimizer, batch, steps=1):
    """What training changes in each weight."""
    keras.utils.set_random_seed(0)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", **EAGERLY)
    before = [np.array(keras.ops.convert_to_numpy(w)) for w in model.weights]
    for _ in range(steps):
        model.train_on_batch(*batch)
    changes = []
    for weight, value in zip(model.weights, before, strict=True):
        changes.append(keras.ops.convert_to_numpy(weight) - value)
        weight.assign(value)
    return dict(zip([w.path for w in model.weights], changes, strict=True))


def without_dropout(model):
    for layer in sublayers(model):
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return model


def test_blocks_count_from_the_output_down(classifier):
    words = ["head", "layer_norm", "transformer_layer_1", "transformer_layer_0"]
    depths = depths_by_layer(classifier, *words, "_embedding")
    assert depths["head"] == {0}
    assert 1 in depths["layer_norm"]
    assert depths["transformer_layer_1"] == {1}
    assert depths["transformer_layer_0"] == {2}
    assert depths["_embedding"] == {3}


def test_encoder_and_decoder_count_their_own_blocks():
    backbone = TransformerBackbone(
        30, 3, 2, 8, 16, 0.0, decoder_num_layers=2, embedding_layer_norm=True
    )
    depths = {w.path: d for w, d in weight_depths(TransformerSeq2SeqLM(backbone))}
    for layers, last in (
        (backbone.encoder_transformer_layers, 3),
        (backbone.decoder_transformer_layers, 2),
    ):
        for index, block in enumerate(layers):
            assert {depths[w.path] for w in block.trainable_weights} == {last - index}
    embeddings = {depth for path, depth in depths.items() if "embedding" in path}
    assert embeddings == {4}


def test_a_step_of_each_weight_is_the_plain_one_times_its_factor(classifier, batch):
    classifier = without_dropout(classifier)
    plain = trained(classifier, sgd(1.0), batch)
    optimizer = layerwise_optimizer(classifier, sgd, decay=0.5)
    received = trained(classifier, optimizer, batch)
    for weight, depth in weight_depths(classifier):
        expected = plain[weight.path] * 0.5**depth
        np.testing.assert_allclose(
            received[weight.path], expected, rtol=1e-3, atol=1e-6
        )


def test_without_decay_the_run_is_that_of_one_optimizer(classifier, batch):
    classifier = without_dropout(classifier)
    plain = trained(classifier, adam(1.0), batch, steps=3)
    optimizer = layerwise_optimizer(classifier, adam, decay=1)
    received = trained(classifier, optimizer, batch, steps=3)
    for path, change in plain.items():
        np.testing.assert_allclose(received[path], change, rtol=1e-5, atol=1e-6)


def test_freezing_afterwards_keeps_the_rates(classifier, batch):
    classifier = without_dropout(classifier)
    classifier.compile(
        layerwise_optimizer(classifier, sgd, decay=0.5),
        loss="sparse_categorical_crossentropy",
        **EAGERLY,
    )
    freeze(classifier, "all_but_last:1")
    rates = {
        round(float(keras.ops.convert_to_numpy(part.learning_rate)), 6)
        for part in classifier.optimizer.optimizers
    }
    assert rates == {0.1, 0.05, 0.025, 0.0125}
    before = {w.path: np.array(w) for w in classifier.weights}
    classifier.train_on_batch(*batch)
    changed = {p for p, v in before.items() if (_value(classifier, p) != v).any()}
    assert any("transformer_layer_1" in path for path in changed)
    assert not any("transformer_layer_0" in path for path in changed)


def _value(model, path):
    return np.array(next(w for w in model.weights if w.path == path))


def test_what_does_not_fit_is_told(classifier):
    with pytest.raises(ValueError, match=r"at most 1\. Received: 1\.5"):
        layerwise_optimizer(classifier, sgd, decay=1.5)
    plain = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="plain")
    with pytest.raises(ValueError, match="Received: Sequential 'plain'"):
        layerwise_optimizer(plain, sgd)
