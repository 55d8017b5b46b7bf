"""After `fit`, frozen weights are the same bits, in whatever order calls came."""

import re

import keras
import keras_hub
import numpy as np
import pytest

from kftune.tuning import freeze

pytestmark = pytest.mark.backend

# GPT-2 with D=8, I=16, V=50, P=16: attention, two norms and the feed-forward part.
BLOCK = 4 * (8 * 8 + 8) + 2 * 16 + (8 * 16 + 16) + (16 * 8 + 8)
EMBEDDINGS = 50 * 8 + 16 * 8
FINAL_NORM = 16
HEAD = 8 * 3 + 3
ALL = EMBEDDINGS + 2 * BLOCK + FINAL_NORM + HEAD

TRAINED = {
    "backbone": HEAD,
    "all_but_last:1": BLOCK + FINAL_NORM + HEAD,
    "all_but_last:2": 2 * BLOCK + FINAL_NORM + HEAD,
    "embeddings": 2 * BLOCK + FINAL_NORM + HEAD,
    "nothing": ALL,
    "regex:transformer_layer_0": ALL - BLOCK,
    # Biases (4 of D, one of I, one of D) and norms (2 of 2 D) of two blocks.
    "all_but_bias_and_norm": 2 * (4 * 8 + 16 + 8 + 2 * 16) + FINAL_NORM + HEAD,
}


def compile_(model, optimizer=None):
    model.compile(
        optimizer or keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )


def fit(model, batch):
    model.fit(*batch, batch_size=2, epochs=2, verbose=0)


def values(weights):
    return [np.array(keras.ops.convert_to_numpy(weight)) for weight in weights]


def assert_fit_respects_flags(model, batch, trainable_params):
    """Fits, and checks frozen and trained weights and the optimizer's slots."""
    trained = model.trainable_weights
    assert sum(int(np.prod(weight.shape)) for weight in trained) == trainable_params
    frozen = model.non_trainable_weights
    before = values(trained), values(frozen)
    fit(model, batch)
    after = values(trained), values(frozen)
    for weight, old, new in zip(frozen, before[1], after[1], strict=True):
        assert np.array_equal(old, new), f"{weight.path} is frozen and changed"
    for weight, old, new in zip(trained, before[0], after[0], strict=True):
        # The softmax over keys does not see the bias of the keys: no gradient.
        if not weight.path.endswith("key/bias"):
            assert not np.array_equal(old, new), f"{weight.path} did not change"
    slots = [v for v in model.optimizer.variables if len(v.shape)]
    assert sum(int(np.prod(slot.shape)) for slot in slots) == 2 * trainable_params


def freeze_then_compile(model, policy, batch):
    freeze(model, policy)
    compile_(model)


def compile_then_freeze(model, policy, batch):
    compile_(model)
    freeze(model, policy)


def fit_then_freeze(model, policy, batch):
    compile_(model)
    fit(model, batch)
    freeze(model, policy)


def freeze_twice(model, policy, batch):
    compile_(model)
    freeze(model, "backbone")
    fit(model, batch)
    freeze(model, policy)
    freeze(model, policy)


ORDERS = [freeze_then_compile, compile_then_freeze, fit_then_freeze, freeze_twice]


@pytest.mark.long
@pytest.mark.parametrize("order", ORDERS)
def test_order_of_calls_does_not_matter(order, classifier, batch):
    order(classifier, "all_but_last:1", batch)
    assert_fit_respects_flags(classifier, batch, TRAINED["all_but_last:1"])


@pytest.mark.long
@pytest.mark.parametrize("policy", TRAINED)
def test_each_policy(policy, classifier, batch):
    compile_then_freeze(classifier, policy, batch)
    assert_fit_respects_flags(classifier, batch, TRAINED[policy])


@pytest.mark.long
def test_unfreezing_trains_all_weights_again(classifier, batch):
    fit_then_freeze(classifier, "backbone", batch)
    assert_fit_respects_flags(classifier, batch, HEAD)
    freeze(classifier, "nothing")
    assert_fit_respects_flags(classifier, batch, ALL)


@pytest.mark.long
def test_keras_alone_goes_wrong_after_a_fit(classifier, batch):
    """What `freeze` is for: the same by hand, without compiling again."""
    compile_(classifier)
    fit(classifier, batch)
    classifier.get_layer("head").trainable = False
    before = values(classifier.get_layer("head").weights)
    if keras.config.backend() == "jax":
        with pytest.raises(ValueError):
            fit(classifier, batch)
        return
    fit(classifier, batch)
    after = values(classifier.get_layer("head").weights)
    kept = np.array_equal(before[0], after[0])
    assert kept == (keras.config.backend() == "torch")


@pytest.mark.long
def test_a_pattern_and_a_callable_freeze_by_path(classifier, batch):
    compile_(classifier)
    freeze(classifier, re.compile(r"^transformer_layer_[01]/"))
    assert_fit_respects_flags(classifier, batch, ALL - 2 * BLOCK)
    freeze(classifier, lambda path: path.startswith("head"))
    assert classifier.freeze_policy == "callable:<lambda>"
    assert_fit_respects_flags(classifier, batch, ALL - HEAD)


def test_a_stock_causal_lm_trains_its_last_block(gpt2, batch):
    task = keras_hub.models.GPT2CausalLM(gpt2)
    x, _ = batch
    freeze(task, "all_but_last:1")
    # Adam(2e-5) of the task itself moves little, but no bit may be left as it was.
    assert_fit_respects_flags(task, (x, x["token_ids"]), BLOCK + FINAL_NORM)


def test_a_tied_output_leaves_nothing_to_train(gpt2):
    task = keras_hub.models.GPT2CausalLM(gpt2)
    flags = [weight.trainable for weight in task.weights]
    optimizer = task.optimizer
    with pytest.raises(ValueError, match=r"'backbone'.*tied.*token_embedding"):
        freeze(task, "backbone")
    assert [weight.trainable for weight in task.weights] == flags
    assert task.optimizer is optimizer


@pytest.mark.long
def test_a_frozen_encoder_computes_the_same_after_training(bart):
    rng = np.random.default_rng(0)
    token_ids = rng.integers(0, 50, (6, 5)).astype("int32")
    mask = np.ones_like(token_ids)
    x = {
        "encoder_token_ids": token_ids,
        "encoder_padding_mask": mask,
        "decoder_token_ids": token_ids[:, ::-1],
        "decoder_padding_mask": mask,
    }

    def outputs():
        return {
            name: np.array(keras.ops.convert_to_numpy(output))
            for name, output in bart.backbone(x).items()
        }

    freeze(bart, "encoder")
    before = outputs()
    assert_fit_respects_flags(bart, (x, token_ids), trained_by_bart_decoder())
    after = outputs()
    name = "encoder_sequence_output"
    np.testing.assert_array_equal(before.pop(name), after.pop(name))
    assert not np.array_equal(*before.values(), *after.values())


def trained_by_bart_decoder():
    """Two decoder blocks with cross-attention and its norm, positions and a norm."""
    cross_attention = 4 * (8 * 8 + 8) + 16
    return 2 * (BLOCK + cross_attention) + 16 * 8 + 16


class EncoderClassifier(keras.Model):
    """A Dense head on the encoder of a seq2seq backbone."""

    @property
    def backbone(self):
        return next(x for x in self.layers if isinstance(x, keras_hub.models.Backbone))

    @property
    def unused_layers(self):
        return [x for x in self.backbone.layers if "decoder" in x.name.split("_")]


@pytest.mark.long
@pytest.mark.parametrize(
    ("policy", "trained_params"),
    [
        ("nothing", EMBEDDINGS + FINAL_NORM + 2 * BLOCK + HEAD),
        ("all_but_last:1", BLOCK + HEAD),
        ("backbone", HEAD),
    ],
)
def test_layers_that_take_no_part_stay_frozen(policy, trained_params, bart, batch):
    inputs = bart.backbone.input
    states = bart.backbone(inputs)["encoder_sequence_output"]
    outputs = keras.layers.Dense(3, name="head")(states[:, -1])
    model = EncoderClassifier(inputs, outputs)
    compile_(model, keras.optimizers.AdamW(0.01))
    freeze(model, policy)
    x = {
        f"{side}_{name}": array
        for side in ("encoder", "decoder")
        for name, array in batch[0].items()
    }
    assert_fit_respects_flags(model, (x, batch[1]), trained_params)


def test_frozen_batch_normalization_keeps_its_statistics():
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(5, name="below"),
            keras.layers.BatchNormalization(name="normalization"),
            keras.layers.Dense(3, name="head"),
        ]
    )
    x = np.random.default_rng(0).normal(3.0, 2.0, (6, 4)).astype("float32")
    batch = x, np.array([0, 1, 2, 0, 1, 2])
    compile_(model)
    freeze(model, "regex:below|normalization")
    assert_fit_respects_flags(model, batch, 5 * 3 + 3)
    freeze(model, "nothing")
    moving = model.get_layer("normalization").moving_mean
    before = values([moving])
    assert not moving.trainable
    fit(model, batch)
    assert not np.array_equal(before, values([moving]))


@pytest.mark.long
def test_lora_factors_train_and_their_base_does_not(gpt2, classifier, batch):
    gpt2.enable_lora(2)
    compile_(classifier)
    freeze(classifier, re.compile(r"^(?!head)(?!.*lora_)"))
    # Queries and values of two blocks: A (8, heads=2, rank=2) and B (rank=2, 4).
    factors = 2 * 2 * (8 * 2 * 2 + 2 * 4)
    assert_fit_respects_flags(classifier, batch, factors + HEAD)
    freeze(classifier, "nothing")
    base_kernels = 2 * 2 * 8 * 8
    assert_fit_respects_flags(classifier, batch, ALL + factors - base_kernels)


def test_dropout_is_off_in_what_is_frozen(gpt2, classifier, batch):
    x, _ = batch
    features = [gpt2(x, training=True) for _ in range(2)]
    assert not np.array_equal(*values(features))
    freeze(classifier, "backbone")
    features = [gpt2(x, training=True) for _ in range(2)]
    np.testing.assert_array_equal(*values(features))
    freeze(classifier, "backbone", dropout=True)
    features = [gpt2(x, training=True) for _ in range(2)]
    assert not np.array_equal(*values(features))


def test_the_name_of_a_model_is_refused():
    with pytest.raises(TypeError, match=r"Received: 'gpt2_tiny_en' \(str\)"):
        freeze("gpt2_tiny_en", "backbone")


def test_a_model_without_weights_is_refused():
    model = keras.Sequential([keras.layers.Dense(2)], name="unbuilt")
    with pytest.raises(ValueError, match="'unbuilt', which has no weights yet"):
        freeze(model, "nothing")
