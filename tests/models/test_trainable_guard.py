"""A guarded task refuses late changes of flags, and saves what is frozen."""

import re

import keras
import keras_hub
import numpy as np
import pytest

from kftune.models.frozen_weights import restore_freezing, set_frozen
from kftune.models.layer_tree import weights_made_to_train
from kftune.models.trainable_guard import TrainableGuard

pytestmark = pytest.mark.backend


@keras.saving.register_keras_serializable("kftune_tests")
class GuardedClassifier(TrainableGuard, keras_hub.models.TextClassifier):
    """The last token's state under a Dense head."""

    backbone_cls = keras_hub.models.T5Backbone

    def __init__(self, backbone, num_classes, preprocessor=None, **kwargs):
        self.backbone = backbone
        self.preprocessor = preprocessor
        states = backbone(backbone.input)["decoder_sequence_output"]
        outputs = keras.layers.Dense(num_classes, name="head")(states[:, -1])
        super().__init__(inputs=backbone.input, outputs=outputs, **kwargs)
        self.num_classes = num_classes
        self.activation = None

    def get_config(self):
        return {**super().get_config(), "num_classes": self.num_classes}


@pytest.fixture
def task(make_backbone):
    # T5 has weights with equal paths, and with paths that differ after loading.
    return GuardedClassifier(make_backbone("T5", dropout=0.1), num_classes=3)


@pytest.fixture
def batch():
    """Token ids (B=4, T=5) on both sides and labels (B,)."""
    ids = np.random.default_rng(0).integers(0, 50, (4, 5)).astype("int32")
    x = {
        f"{side}_{name}": array
        for side in ("encoder", "decoder")
        for name, array in [("token_ids", ids), ("padding_mask", np.ones_like(ids))]
    }
    return x, np.array([0, 1, 2, 0])


def values(task):
    return [np.array(keras.ops.convert_to_numpy(weight)) for weight in task.weights]


def freeze_first_block(task, dropout=False):
    block = task.backbone.encoder_transformer_layers[0]
    set_frozen(task, block.weights, dropout=dropout)
    task.freeze_policy = "regex:first block"


@pytest.mark.long
def test_a_change_after_compile_stops_fit_and_train_on_batch(task, batch):
    task.fit(*batch, verbose=0)
    before = values(task)
    for layer in task.backbone.decoder_transformer_layers:
        layer.trainable = False
    message = "GuardedClassifier .* compiled to train 53 weights, and now 24 .*"
    with pytest.raises(RuntimeError, match=message) as error:
        task.fit(*batch, verbose=0)
    assert re.search(
        r"Trainable since then: none\. Frozen since then: "
        r"(self_attention|transformer_decoder_layer_0)/\S+, .* … \(29 in all\)\.",
        str(error.value),
    )
    with pytest.raises(RuntimeError, match="now 24"):
        task.train_on_batch(*batch)
    for old, new in zip(before, values(task), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.long
def test_compiling_again_or_taking_it_back_is_accepted(task, batch):
    task.backbone.decoder_layer_norm.trainable = False
    with pytest.raises(RuntimeError, match=r"Frozen since then: \S+/weight\."):
        task.fit(*batch, verbose=0)
    task.compile()
    task.fit(*batch, verbose=0)
    task.backbone.decoder_layer_norm.trainable = True
    with pytest.raises(RuntimeError, match=r"Trainable since then: \S+/weight\. "):
        task.fit(*batch, verbose=0)
    task.backbone.decoder_layer_norm.trainable = False
    task.fit(*batch, verbose=0)


def test_other_calls_than_training_go_on(task, batch):
    task.backbone.decoder_layer_norm.trainable = False
    assert task.predict(batch[0], verbose=0).shape == (4, 3)
    task.evaluate(*batch, verbose=0)


@pytest.mark.long
@pytest.mark.parametrize("dropout", [False, True])
def test_a_preset_brings_back_what_was_frozen(task, batch, dropout, tmp_path):
    freeze_first_block(task, dropout)
    task.save_to_preset(tmp_path)
    loaded = GuardedClassifier.from_preset(str(tmp_path))
    assert loaded.freeze_policy == "regex:first block"
    assert loaded.frozen_dropout is dropout
    flags = [weight.trainable for weight in task.weights]
    assert flags.count(False) == 10
    assert [weight.trainable for weight in loaded.weights] == flags
    np.testing.assert_array_equal(
        task.predict(batch[0], verbose=0), loaded.predict(batch[0], verbose=0)
    )
    before = values(loaded)
    loaded.fit(*batch, verbose=0)
    same = [np.array_equal(*pair) for pair in zip(before, values(loaded), strict=True)]
    assert [not flag for flag in flags] == same


def test_a_task_with_lora_is_saved_without_the_factors(task):
    backbone = task.backbone
    backbone.enable_lora(2, target_layer_names=["query_projector"])
    frozen = [w for w in weights_made_to_train(task) if "lora" not in w.path]
    set_frozen(task, frozen)
    task.freeze_policy = "all but LoRA"
    again = GuardedClassifier.from_config(task.get_config())
    assert len(again.weights) == len(task.weights) - 2 * 6
    assert not again.trainable_weights


def test_without_freeze_the_config_has_no_entry(task):
    assert "freezing" not in task.get_config()


def test_another_architecture_is_refused(task):
    freeze_first_block(task)
    config = {**task.get_config()["freezing"], "num_weights": 7}
    with pytest.raises(ValueError, match=r"with 7 weights.*with 53 weights"):
        restore_freezing(task, config)
