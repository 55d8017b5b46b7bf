"""Freezing the tasks of `kftune.models`: they check flags and save them."""

import keras
import numpy as np
import pytest

from kftune.models import DenseHead, GPT2Backbone, GPT2TextClassifier, attach_head
from kftune.tuning import freeze

pytestmark = pytest.mark.backend


def values(task):
    return [np.array(keras.ops.convert_to_numpy(weight)) for weight in task.weights]


@pytest.mark.long
@pytest.mark.parametrize(
    "policy", ["backbone", "regex:layer_0", lambda path: "embedding" in path]
)
def test_a_loaded_task_trains_what_the_saved_one_did(policy, gpt2, batch, tmp_path):
    task = attach_head(gpt2, 3)
    assert isinstance(task, GPT2TextClassifier)
    freeze(task, policy)
    task.fit(*batch, verbose=0)
    task.save_to_preset(tmp_path)
    loaded = GPT2TextClassifier.from_preset(str(tmp_path))
    assert loaded.freeze_policy == task.freeze_policy
    flags = [weight.trainable for weight in task.weights]
    assert [weight.trainable for weight in loaded.weights] == flags
    before = values(loaded)
    loaded.fit(*batch, verbose=0)
    for flag, old, new in zip(flags, before, values(loaded), strict=True):
        assert flag or np.array_equal(old, new)
    assert not np.array_equal(before[-2], values(loaded)[-2])


@pytest.mark.long
def test_frozen_blocks_take_the_fast_path_of_attention(batch):
    backbone = GPT2Backbone(50, 2, 2, 8, 16, dropout=0.5, max_sequence_length=16)
    task = attach_head(backbone, 3)
    paths = []
    for policy in ("nothing", "all_but_last:1"):
        freeze(task, policy)
        task.fit(*batch, verbose=0)
        blocks = backbone.transformer_layers
        paths.append([x._self_attention_layer.attention_path for x in blocks])
    assert paths[0] == ["einsum", "einsum"]
    assert paths[1][0] in ("fused", "flash")
    assert paths[1][1] == "einsum"


@pytest.mark.long
def test_flags_that_change_after_freeze_stop_fit(gpt2, batch):
    task = attach_head(gpt2, 3)
    freeze(task, "all_but_last:1")
    task.fit(*batch, verbose=0)
    gpt2.token_embedding.trainable = True
    with pytest.raises(RuntimeError, match="since then: token_embedding/embeddings"):
        task.fit(*batch, verbose=0)
    freeze(task, "nothing")
    task.fit(*batch, verbose=0)


@pytest.mark.long
def test_losses_and_metrics_of_several_heads_are_kept(gpt2, batch):
    x, y = batch
    labels = {"topic": y, "tone": y % 2}
    task = attach_head(gpt2, {"topic": DenseHead(3), "tone": DenseHead(2)})
    task.fit(x, labels, verbose=0)
    before = task.evaluate(x, labels, verbose=0, return_dict=True)
    losses = dict(task.loss)
    freeze(task, "backbone")
    assert all(task.loss[name] is loss for name, loss in losses.items())
    after = task.evaluate(x, labels, verbose=0, return_dict=True)
    assert after == pytest.approx(before)
    task.fit(x, labels, verbose=0)


@pytest.mark.long
@pytest.mark.parametrize("policy", ["nothing", "all_but_last:1", "embeddings"])
def test_layers_that_take_no_part_are_never_trained(policy, bart, batch):
    x, y = batch
    backbone = bart.backbone
    task = attach_head(backbone, 3)
    task.compile(keras.optimizers.AdamW(0.1, weight_decay=0.5))
    freeze(task, policy)
    decoder = [w for w in backbone.weights if "decoder" in w.path]
    before = [np.array(keras.ops.convert_to_numpy(w)) for w in decoder]
    slots = len(task.optimizer.variables)
    task.fit(x, y, verbose=0)
    assert slots == 2 + 2 * len(task.trainable_variables)
    assert decoder and not any(weight.trainable for weight in decoder)
    for old, new in zip(before, decoder, strict=True):
        assert np.array_equal(old, keras.ops.convert_to_numpy(new))
    trained = {weight.path for weight in task.trainable_variables}
    assert any("transformer_encoder_layer_1" in path for path in trained)
