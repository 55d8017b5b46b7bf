"""Policies freeze in kftune's backbones what they freeze in KerasHub's."""

import keras
import numpy as np
import pytest

from kftune.models import (
    GPT2Backbone,
    GPT2CausalLM,
    TransformerBackbone,
    TransformerSeq2SeqLM,
    attach_head,
)
from kftune.models.frozen_weights import set_frozen
from kftune.tuning import freeze
from kftune.tuning.policies import frozen_weights

pytestmark = pytest.mark.backend

BOTH = ["all_but_last:1", "all_but_last:2", "embeddings", "all_but_bias_and_norm"]
SEQ2SEQ = ["encoder", "decoder", "all_but_cross_attention", "backbone"]


def frozen_paths(model, policy):
    paths = [weight.path for weight in frozen_weights(model, policy)]
    assert len(set(paths)) == len(paths)
    # KerasHub's BART encoder alone calls its attention a layer.
    return {path.replace("attention_layer/", "attention/") for path in paths}


@pytest.mark.parametrize("policy", [*BOTH, "regex:query", "nothing"])
def test_gpt2(gpt2, policy):
    task = GPT2CausalLM(GPT2Backbone.from_keras_hub(gpt2))
    assert frozen_paths(task, policy) == frozen_paths(gpt2, policy)


@pytest.mark.parametrize("policy", [*BOTH, *SEQ2SEQ])
def test_bart(bart, policy):
    task = TransformerSeq2SeqLM(TransformerBackbone.from_keras_hub(bart.backbone))
    assert frozen_paths(task, policy) == frozen_paths(bart, policy)


def test_sides_with_embeddings_and_norms_of_their_own():
    task = TransformerSeq2SeqLM(
        TransformerBackbone(
            50, 1, 2, 8, 16, share_embeddings=False, normalize_first=True
        )
    )
    frozen = frozen_paths(task, "encoder")
    assert "encoder_token_embedding/embeddings" in frozen
    assert "encoder_layer_norm/gamma" in frozen
    assert not any("decoder" in path for path in frozen)
    trained = {w.path for w in task.weights} - frozen_paths(task, "all_but_last:1")
    assert "decoder_layer_norm/gamma" in trained
    assert all("decoder" in path and "embedding" not in path for path in trained)


@pytest.mark.parametrize("share", [True, False])
def test_an_output_of_its_own_is_no_embedding(share):
    backbone = TransformerBackbone(
        50, 2, 2, 8, 16, tie_output=False, share_embeddings=share
    )
    task = TransformerSeq2SeqLM(backbone)
    output = backbone.token_embedding.reverse_embeddings
    everything = {weight.path for weight in task.trainable_weights}
    freeze(task, "backbone")
    assert [weight.path for weight in task.trainable_weights] == [output.path]
    frozen = {policy: frozen_paths(task, policy) for policy in [*BOTH, *SEQ2SEQ]}
    for policy in ("all_but_last:1", "embeddings", "encoder", "backbone"):
        assert output.path not in frozen[policy]
        assert backbone.encoder_token_embedding.embeddings.path in frozen[policy]
    assert frozen["backbone"] == everything - {output.path}
    for policy in ("decoder", "all_but_cross_attention", "all_but_bias_and_norm"):
        assert output.path in frozen[policy]
    with pytest.raises(ValueError, match="freezes all") as error:
        freeze(task, "regex:.")
    assert "tied" not in str(error.value)


def test_a_classifier_has_no_use_for_the_output_of_the_backbone():
    backbone = TransformerBackbone(50, 1, 2, 8, 16, tie_output=False)
    frozen = frozen_paths(attach_head(backbone, 2), "backbone")
    assert backbone.token_embedding.reverse_embeddings.path in frozen


def test_a_bias_of_the_logits_is_never_trained():
    task = TransformerSeq2SeqLM(TransformerBackbone(50, 1, 2, 8, 16, logits_bias=True))
    paths = {weight.path for weight in task.trainable_weights}
    assert "token_embedding/logits_bias" not in paths
    assert len(paths) == len(task.weights) - 1


def test_dropout_is_off_in_frozen_blocks(gpt2, batch):
    backbone = GPT2Backbone.from_keras_hub(gpt2)
    set_frozen(backbone, frozen_weights(backbone, "all_but_last:1"))
    first, second = backbone.transformer_layers
    below = keras.Model(backbone.inputs, first.output)
    assert not is_random(below, batch[0])
    assert is_random(keras.Model(backbone.inputs, second.output), batch[0])
    set_frozen(backbone, [])
    assert is_random(below, batch[0])


def is_random(model, x):
    """Whether two calls in training mode differ."""
    outputs = [keras.ops.convert_to_numpy(model(x, training=True)) for _ in range(2)]
    return not np.array_equal(*outputs)
