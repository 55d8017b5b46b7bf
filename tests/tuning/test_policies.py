"""Which weights each policy freezes, against formulas and names."""

import re

import keras
import keras_hub
import numpy as np
import pytest

from kftune.tuning.policies import frozen_weights, policy_name

# D=8, I=16: attention with biases, a norm, the feed-forward part.
ATTENTION = 4 * (8 * 8 + 8)
NORM = 16
FEED_FORWARD = 8 * 16 + 16 + 16 * 8 + 8
BLOCK = ATTENTION + FEED_FORWARD + 2 * NORM
TOKENS = 50 * 8
POSITIONS = 16 * 8


def size(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def trained(model, policy):
    """Paths of the weights that a policy leaves trainable."""
    frozen = {id(weight) for weight in frozen_weights(model, policy)}
    return {w.path for w in model.trainable_weights if id(w) not in frozen}


@pytest.fixture
def t5(make_backbone):
    return make_backbone("T5")


@pytest.mark.parametrize(
    ("policy", "frozen_params"),
    [
        ("nothing", 0),
        ("embeddings", TOKENS + 2 * POSITIONS),
        # Norms after the embeddings belong to their side.
        ("encoder", TOKENS + POSITIONS + NORM + 2 * BLOCK),
        ("decoder", TOKENS + POSITIONS + NORM + 2 * (BLOCK + ATTENTION + NORM)),
        ("all_but_last:1", TOKENS + 2 * (POSITIONS + NORM) + 3 * BLOCK + 304),
        ("all_but_last:2", TOKENS + 2 * (POSITIONS + NORM) + 2 * BLOCK),
    ],
)
def test_sides_and_blocks_of_a_seq2seq(bart, policy, frozen_params):
    assert size(frozen_weights(bart, policy)) == frozen_params


def test_only_cross_attention_is_trained(bart):
    paths = trained(bart, "all_but_cross_attention")
    assert len(paths) == 2 * (4 * 2 + 2)
    assert all(re.search(r"decoder_layer_\d/cross_attention", path) for path in paths)


def test_only_biases_and_norms_of_the_backbone_are_trained(bert):
    names = {path.rsplit("/")[-1] for path in trained(bert, "all_but_bias_and_norm")}
    assert names == {"bias", "gamma", "beta", "kernel"}
    kernels = [
        path
        for path in trained(bert, "all_but_bias_and_norm")
        if path.endswith("kernel")
    ]
    assert kernels == ["logits/kernel"]


def test_biases_alone_are_trained_and_those_of_norms_are_among_them(bert, classifier):
    names = [path.rsplit("/")[-1] for path in trained(bert.backbone, "all_but_bias")]
    # In each block four projections, two dense layers and two norms; a norm of the
    # embeddings and the pooler.
    assert sorted(names) == ["beta"] * (2 * 2 + 1) + ["bias"] * (2 * 6 + 1)
    frozen = size(frozen_weights(classifier, "all_but_bias"))
    biases = 2 * (4 * 8 + 16 + 8 + 2 * 8) + 8
    assert frozen == TOKENS + POSITIONS + 2 * BLOCK + NORM - biases


def test_the_pooler_is_trained_with_the_last_blocks(bert):
    parts = {path.split("/")[0] for path in trained(bert, "all_but_last:1")}
    assert parts == {"transformer_layer_1", "pooled_dense", "logits"}


def test_the_last_stack_of_t5_ends_with_its_own_norm(t5):
    weights = frozen_weights(t5, "all_but_last:1")
    last_block, norm = t5.decoder_transformer_layers[-1], t5.decoder_layer_norm
    expected = {id(w) for layer in (last_block, norm) for w in layer.weights}
    left = {id(w) for w in t5.weights} - {id(w) for w in weights}
    assert left == expected


def test_a_block_trains_its_relative_positions(t5):
    """T5 keeps an embedding of relative positions in the first block."""
    table = t5.decoder_transformer_layers[0].self_attention.relative_attention_bias
    frozen = {id(weight) for weight in frozen_weights(t5, "all_but_last:2")}
    assert id(table) not in frozen
    assert id(t5.token_embedding.embeddings) in frozen


def test_albert_counts_groups_as_its_blocks(make_backbone):
    albert = make_backbone("Albert", embedding_dim=4, num_groups=2)
    parts = {path.split("/")[0] for path in trained(albert, "all_but_last:1")}
    assert parts == {"group_1_inner_layer_0", "pooled_dense"}


def test_the_head_stays_trainable_whatever_its_paths_hold(gpt2):
    hidden = gpt2(gpt2.input)
    head = keras.layers.Dense(8, name="cross_attention_embeddings_encoder")
    model = keras.Model(gpt2.input, keras.layers.LayerNormalization()(head(hidden)))
    assert size(frozen_weights(model, "embeddings")) == TOKENS + POSITIONS
    assert size(frozen_weights(model, "backbone")) == gpt2.count_params()


def test_a_model_without_backbone_takes_the_policies_that_need_none():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Embedding(5, 4, name="tokens"),
            keras.layers.LayerNormalization(name="norm"),
            keras.layers.Dense(2, name="head"),
        ],
        name="plain",
    )
    assert size(frozen_weights(model, "embeddings")) == 5 * 4
    assert size(frozen_weights(model, "all_but_bias_and_norm")) == 5 * 4 + 4 * 2
    assert frozen_weights(model, "nothing") == []
    with pytest.raises(ValueError, match=r"'backbone'.*Sequential 'plain'.*'tokens'"):
        frozen_weights(model, "backbone")


def test_two_backbones_are_refused_by_name(make_backbone):
    models = [make_backbone("GPT2", name=name) for name in ("left", "right")]
    inputs = models[0].input
    both = keras.layers.Add()([model(inputs) for model in models])
    with pytest.raises(ValueError, match=r"one backbone.*\['left', 'right'\]"):
        frozen_weights(keras.Model(inputs, both), "backbone")


def test_rules_over_paths(classifier):
    pattern = re.compile("feedforward|^head")
    by_pattern = frozen_weights(classifier, pattern)
    assert size(by_pattern) == 2 * (FEED_FORWARD + NORM) + 8 * 3 + 3
    by_string = frozen_weights(classifier, "regex:feedforward|^head")
    by_callable = frozen_weights(classifier, lambda path: bool(pattern.search(path)))
    assert [w.path for w in by_string] == [w.path for w in by_pattern]
    assert [w.path for w in by_callable] == [w.path for w in by_pattern]


def test_names_of_policies():
    assert policy_name("all_but_last:2") == "all_but_last:2"
    assert policy_name(re.compile("^head")) == "regex:^head"
    assert policy_name(len) == "callable:len"


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("bakcbone", r"'all_but_cross_attention'.*'regex:PATTERN'.*'bakcbone'"),
        ("backbone:2", "'lora:rank=N,layers=REGEX'.*'backbone:2'"),
        ("lora", r"factors as in LoraSettings\(rank=8.*'functional.*which has none"),
        ("all_but_last", r"N from 1 to 2.*GPT2Backbone.*'all_but_last'"),
        ("all_but_last:0", "'all_but_last:0'"),
        ("all_but_last:3", "'all_but_last:3'"),
        ("all_but_last:-1", "'all_but_last:-1'"),
        ("all_but_last:two", "'all_but_last:two'"),
        ("regex:(", r"after 'regex:'. Received: '\('"),
        ("regex:nowhere", r"'regex:nowhere', which matches none of '.*… \("),
        ("encoder", r"'encoder'. Received: GPT2Backbone"),
        ("decoder", r"'decoder'. Received: GPT2Backbone"),
        ("all_but_cross_attention", "cross-attention for 'all_but_cross_attention'"),
    ],
)
def test_wrong_policies_are_refused(policy, message, classifier):
    with pytest.raises(ValueError, match=message):
        frozen_weights(classifier, policy)


def test_a_rule_without_a_weight_shows_a_few_paths(classifier):
    paths = [weight.path for weight in classifier.trainable_weights]
    with pytest.raises(ValueError, match=rf"… \({len(paths)} in all\)\.$") as error:
        frozen_weights(classifier, "regex:nowhere")
    assert sum(repr(path) in str(error.value) for path in paths) == 5


def test_a_policy_of_another_type_is_refused(classifier):
    with pytest.raises(TypeError, match=r"Received: 3 \(int\)"):
        frozen_weights(classifier, 3)


def test_embeddings_and_stacks_that_are_not_there_are_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, use_bias=False)])
    with pytest.raises(ValueError, match="embedding layer for 'embeddings'"):
        frozen_weights(model, "embeddings")
    with pytest.raises(ValueError, match="with a bias for 'all_but_bias'"):
        frozen_weights(model, "all_but_bias")
    with pytest.raises(ValueError, match="a norm for 'all_but_bias_and_norm'"):
        frozen_weights(model, "all_but_bias_and_norm")
    backbone = keras_hub.models.Backbone(model.inputs, model.outputs)
    with pytest.raises(ValueError, match=r"stack of blocks.*Received: Backbone"):
        frozen_weights(backbone, "all_but_last:1")
