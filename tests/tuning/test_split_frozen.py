"""Both halves of a classifier compute what the whole does, with the same weights."""

import keras
import numpy as np
import pytest

from kftune.models import (
    DenseHead,
    GPT2Backbone,
    TextClassifier,
    TransformerBackbone,
    TransformerSeq2SeqLM,
    attach_head,
)
from kftune.tuning import freeze
from kftune.tuning.split_frozen import split_frozen

pytestmark = pytest.mark.backend

SIZES = {
    "vocabulary_size": 50,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 16,
    "max_sequence_length": 16,
    "dropout": 0.5,
}
LENGTHS = np.array([9, 4, 1, 7])


@pytest.fixture
def x():
    is_real = np.arange(9) < LENGTHS[:, None]
    token_ids = np.random.default_rng(0).integers(0, 50, (4, 9)) * is_real
    return {"token_ids": token_ids.astype("int32"), "padding_mask": is_real}


def numpy(tensor):
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def ids(weights):
    return {id(weight) for weight in weights}


def test_of_a_frozen_gpt2_the_last_states_are_kept(x):
    backbone = GPT2Backbone(**SIZES)
    task = attach_head(backbone, 3)
    freeze(task, "backbone")
    frozen, rest = split_frozen(task)
    features = numpy(frozen(x, training=True))
    last = numpy(backbone(x))[np.arange(4), LENGTHS - 1]
    np.testing.assert_allclose(features, last, atol=1e-6)
    np.testing.assert_allclose(numpy(rest(last)), numpy(task(x)), atol=1e-6)
    assert ids(rest.weights) == ids(task.head.weights)


def test_in_front_of_a_trained_block_states_and_mask_are_kept(x):
    backbone = GPT2Backbone(**SIZES)
    task = attach_head(backbone, 3)
    freeze(task, "all_but_last:1")
    frozen, rest = split_frozen(task)
    states, mask = map(numpy, frozen(x, training=True))
    first = keras.Model(backbone.input, backbone.transformer_layers[0].output)
    np.testing.assert_allclose(states, numpy(first(x)), atol=1e-6)
    assert mask.tolist() == x["padding_mask"].astype(int).tolist()
    # What stands behind the end of a row does not matter.
    states = np.where(mask[..., None] == 1, states, 0)
    np.testing.assert_allclose(numpy(rest([states, mask])), numpy(task(x)), atol=1e-6)
    assert ids(rest.trainable_weights) == ids(task.trainable_weights)
    assert not frozen.trainable_weights
    assert ids(rest.weights) | ids(frozen.weights) == ids(task.weights)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["Bert", "Roberta", "Albert", "Bart", "ours"])
@pytest.mark.parametrize("policy", ["backbone", "all_but_last:1", "embeddings"])
def test_any_backbone(kind, policy, x, make_backbone):
    ours = kind == "ours"
    changes = {"embedding_dim": 8} if kind == "Albert" else {}
    backbone = TransformerBackbone(**SIZES) if ours else make_backbone(kind, **changes)
    task = attach_head(backbone, {"topic": DenseHead(3), "tone": DenseHead(2)})
    freeze(task, policy)
    frozen, rest = split_frozen(task)
    assert len(frozen.outputs) == 1 + (policy != "backbone")
    expected, received = task(x), rest(frozen(x))
    assert sorted(received) == ["tone", "topic"]
    for name, logits in expected.items():
        np.testing.assert_allclose(numpy(received[name]), numpy(logits), atol=1e-6)
    assert ids(rest.trainable_weights) == ids(task.trainable_weights)


def test_a_task_that_was_never_frozen_is_refused():
    task = attach_head(GPT2Backbone(**SIZES), 2)
    task.backbone.trainable = False
    with pytest.raises(
        ValueError, match=r"freeze\(task, policy\) froze. Received: GPT2T"
    ):
        split_frozen(task)


def test_dropout_in_what_is_frozen_is_refused():
    task = attach_head(GPT2Backbone(**SIZES), 2)
    freeze(task, "backbone", dropout=True)
    with pytest.raises(ValueError, match=r"Received: freeze\(..., dropout=True\)"):
        split_frozen(task)


@pytest.mark.parametrize("policy", ["nothing", "regex:transformer_layer_1|position"])
def test_trained_embeddings_leave_nothing_to_keep(policy):
    task = attach_head(GPT2Backbone(**SIZES), 2)
    freeze(task, policy)
    with pytest.raises(ValueError, match="trains 'token_embedding'") as error:
        split_frozen(task)
    assert repr(policy) in str(error.value)


def test_other_tasks_are_refused():
    lm = TransformerSeq2SeqLM(TransformerBackbone(**SIZES))
    freeze(lm, "encoder")
    with pytest.raises(TypeError, match="Received: TransformerSeq2SeqLM"):
        split_frozen(lm)


def test_features_of_pairs_of_tokens_are_refused(make_backbone):
    backbone = make_backbone("DebertaV3", bucket_size=4)
    task = TextClassifier(backbone, DenseHead(2))
    freeze(task, "all_but_last:1")
    with pytest.raises(ValueError, match=r"\(None, 8, 8\).*DebertaV3Backbone"):
        split_frozen(task)
    freeze(task, "backbone")
    frozen, _ = split_frozen(task)
    assert [feature.shape for feature in frozen.outputs] == [(None, 8)]
