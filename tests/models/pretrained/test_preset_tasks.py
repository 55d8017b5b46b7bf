import json
import socket

import h5py
import keras
import keras_hub
import numpy as np
import pytest

from kftune.models import (
    DenseHead,
    GPT2TextClassifier,
    GPT2TextClassifierPreprocessor,
    TextClassifier,
    attach_head,
    load_backbone,
    load_preprocessor,
    save_float16_preset,
)
from kftune.models.pretrained import preset_catalog
from kftune.tuning import freeze

pytestmark = pytest.mark.backend

TEXTS = ["good film", "it's a slow start!", "", "The film isn't bad: see it. " * 9]
FILES = [
    "assets",
    "config.json",
    "metadata.json",
    "model.weights.h5",
    "preprocessor.json",
    "task.json",
    "task.weights.h5",
    "tokenizer.json",
]


def assert_same_predictions(one, other):
    expected = one.predict(TEXTS, verbose=0)
    received = other.predict(TEXTS, verbose=0)
    for wanted, got in zip(
        keras.tree.flatten(expected), keras.tree.flatten(received), strict=True
    ):
        assert np.ptp(wanted) > 1e-4
        np.testing.assert_allclose(got, wanted, atol=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("cls", [GPT2TextClassifier, TextClassifier])
def test_a_saved_task_comes_back_whole(task, saved, cls):
    again = cls.from_preset(saved, offline=True)
    assert type(again) is GPT2TextClassifier
    assert_same_predictions(task, again)
    assert again.label_names == ["rotten", "fresh"]
    assert again.preprocessor.truncate == "left"
    assert sorted(path.name for path in saved.iterdir()) == FILES


def test_keras_hub_opens_a_saved_task(task, saved):
    again = keras_hub.models.TextClassifier.from_preset(str(saved))
    assert type(again) is GPT2TextClassifier
    assert_same_predictions(task, again)


def test_keras_hub_makes_ours_from_a_language_model(language_model):
    task = keras_hub.models.TextClassifier.from_preset(
        str(language_model), num_classes=3
    )
    assert type(task) is GPT2TextClassifier
    assert task.preprocessor.sequence_length == 24
    assert task.predict(TEXTS, verbose=0).shape == (4, 3)


@pytest.mark.long
@pytest.mark.parametrize("model", ["GPT2", "Bart"])
def test_a_task_saved_on_keras_hubs_backbone_loads_onto_ours(
    model, gpt2_tokenizer, tmp_path
):
    backbone = getattr(keras_hub.models, f"{model}Backbone")(
        vocabulary_size=400,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=24,
    )
    preprocessor = GPT2TextClassifierPreprocessor(gpt2_tokenizer, 20)
    task = attach_head(backbone, 2, preprocessor)
    assert task.backbone is backbone
    freeze(task, "all_but_last:1")
    task.save_to_preset(tmp_path)
    # As it was written before: positions in Keras's own order.
    config = json.loads((tmp_path / "task.json").read_text())
    frozen = [i for i, weight in enumerate(task.weights) if not weight.trainable]
    del config["config"]["freezing"]["frozen_by_layer"]
    config["config"]["freezing"]["frozen"] = frozen
    (tmp_path / "task.json").write_text(json.dumps(config))
    again = TextClassifier.from_preset(tmp_path)
    assert type(again) is type(task)
    assert type(again.backbone).__module__.startswith("kftune.")
    assert [i for i, w in enumerate(again.weights) if not w.trainable] == frozen
    assert_same_predictions(task, again)


def test_several_heads_come_back(gpt2_backbone, gpt2_tokenizer, tmp_path):
    heads = {"b": DenseHead(3), "a": DenseHead(2, hidden_dim=4, label_names=["n", "y"])}
    preprocessor = GPT2TextClassifierPreprocessor(gpt2_tokenizer)
    task = attach_head(gpt2_backbone, heads, preprocessor)
    task.save_to_preset(tmp_path)
    again = TextClassifier.from_preset(tmp_path)
    assert again.label_names == {"b": None, "a": ["n", "y"]}
    assert_same_predictions(task, again)


@pytest.mark.long
def test_frozen_weights_stay_frozen(task, tmp_path, quick):
    freeze(task, "all_but_last:1")
    task.save_to_preset(tmp_path)
    again = TextClassifier.from_preset(tmp_path)
    assert again.freeze_policy == "all_but_last:1"
    wanted = [weight.trainable for weight in task.weights]
    assert [weight.trainable for weight in again.weights] == wanted
    assert not all(wanted)
    assert any(wanted)
    again.compile(keras.optimizers.Adam(0.1), **quick)
    before = again.get_weights()
    again.fit(TEXTS, [0, 1, 0, 1], verbose=0)
    for weight, old, trainable in zip(again.weights, before, wanted, strict=True):
        if not trainable:
            np.testing.assert_array_equal(weight.numpy(), old)


@pytest.mark.long
def test_a_trained_task_is_saved_without_its_optimizer(task, tmp_path, quick, recwarn):
    task.compile("adam", **quick)
    task.fit(TEXTS, [0, 1, 0, 1], verbose=0)
    task.save_to_preset(tmp_path / "trained")
    recwarn.clear()
    assert_same_predictions(task, TextClassifier.from_preset(tmp_path / "trained"))
    assert not [w for w in recwarn if "optimizer" in str(w.message)]
    stored = []
    with h5py.File(tmp_path / "trained" / "task.weights.h5") as file:
        file.visititems(lambda name, item: stored.append(getattr(item, "size", 0)))
    assert sum(stored) == task.head.count_params()


@pytest.mark.long
def test_saving_again_replaces_the_task_and_leaves_other_files(task, saved):
    (saved / "notes.txt").write_text("mine")
    (saved / ".saving-killed" / "assets").mkdir(parents=True)
    task.head.set_weights([w + 1 for w in task.head.get_weights()])
    task.save_to_preset(saved)
    assert_same_predictions(task, TextClassifier.from_preset(saved))
    assert sorted(path.name for path in saved.iterdir()) == sorted(
        [*FILES, "notes.txt"]
    )


@pytest.mark.long
@pytest.mark.parametrize("sizes", [(10, 1.3e-5), (1.3e-5, 10)])
def test_saving_again_in_other_shards_leaves_no_old_weights(task, tmp_path, sizes):
    task.save_to_preset(tmp_path / "again", max_shard_size=sizes[0])
    task.backbone.set_weights([w + 1 for w in task.backbone.get_weights()])
    task.save_to_preset(tmp_path / "again", max_shard_size=sizes[1])
    task.save_to_preset(tmp_path / "once", max_shard_size=sizes[1])
    assert_same_predictions(task, TextClassifier.from_preset(tmp_path / "again"))
    names = [
        sorted(path.name for path in (tmp_path / folder).iterdir())
        for folder in ("again", "once")
    ]
    assert names[0] == names[1]
    assert ("model.weights.json" in names[0]) == (sizes[1] < 1)


@pytest.mark.long
def test_a_failed_save_leaves_the_old_task(task, saved, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    old = TextClassifier.from_preset(saved)
    task.head.set_weights([w + 1 for w in task.head.get_weights()])
    monkeypatch.setattr(type(task.preprocessor), "save_to_preset", fail)
    with pytest.raises(OSError, match="disk full"):
        task.save_to_preset(saved)
    monkeypatch.undo()
    assert_same_predictions(old, TextClassifier.from_preset(saved))
    assert sorted(path.name for path in saved.iterdir()) == FILES


def test_a_new_head_on_a_language_model(language_model):
    task = TextClassifier.from_preset(language_model, label_names=["no", "yes"])
    assert type(task) is GPT2TextClassifier
    assert (task.pooling, task.preprocessor.sequence_length) == ("last", 24)
    assert task.preprocessor.add_start_token
    assert task.preprocessor.add_end_token
    expected = load_backbone(language_model).get_weights()
    for weight, wanted in zip(task.backbone.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(weight, wanted)


def test_options_reach_head_pooling_and_preprocessor(language_model):
    task = GPT2TextClassifier.from_preset(
        language_model,
        num_classes=2,
        pooling="mean",
        hidden_dim=5,
        dropout=0.4,
        sequence_length=10,
    )
    assert (task.pooling, task.head.hidden_dim, task.head.dropout) == ("mean", 5, 0.4)
    assert task.preprocessor.sequence_length == 10


def test_a_new_head_on_a_saved_task_keeps_its_preprocessing(saved):
    task = TextClassifier.from_preset(saved, num_classes=5, sequence_length=12)
    assert task.predict(TEXTS, verbose=0).shape == (4, 5)
    assert task.label_names is None
    assert task.preprocessor.truncate == "left"
    assert task.preprocessor.sequence_length == 12


def test_heads_by_name_from_a_preset(language_model):
    heads = {"a": DenseHead(2), "b": DenseHead(1, problem_type="regression")}
    task = TextClassifier.from_preset(language_model, head=heads)
    outputs = task.predict(TEXTS, verbose=0)
    assert {name: values.shape for name, values in outputs.items()} == {
        "a": (4, 2),
        "b": (4, 1),
    }


def test_random_weights_on_request(task, saved):
    again = TextClassifier.from_preset(saved, load_weights=False)
    embeddings = [
        keras.ops.convert_to_numpy(t.backbone.token_embedding.embeddings)
        for t in (task, again)
    ]
    assert not np.allclose(*embeddings)


def test_weights_stored_as_float16_are_computed_in_float32(
    gpt2_lm, gpt2_backbone, tmp_path
):
    save_float16_preset(gpt2_lm, tmp_path / "half")
    task = TextClassifier.from_preset(tmp_path / "half", num_classes=2)
    assert task.backbone.dtype_policy.name == "float32"
    for weight, wanted in zip(
        task.backbone.get_weights(), gpt2_backbone.get_weights(), strict=True
    ):
        assert weight.dtype == np.float32
        np.testing.assert_allclose(weight, wanted, atol=1e-3)


@pytest.mark.parametrize("from_saved", [True, False])
def test_the_dtype_of_the_backbone(saved, from_saved):
    options = {} if from_saved else {"num_classes": 2}
    task = TextClassifier.from_preset(saved, dtype="bfloat16", **options)
    assert task.backbone.dtype_policy.name == "bfloat16"
    assert task.predict(TEXTS, verbose=0).dtype == np.float32


def test_offline_touches_no_network(saved, language_model, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(preset_catalog, "SHIPPED_FOLDER", language_model.parent)
    task = TextClassifier.from_preset("lm", num_classes=2, offline=True)
    assert task.predict(TEXTS, verbose=0).shape == (4, 2)
    assert TextClassifier.from_preset(saved, offline=True).head.num_classes == 2


def test_backbone_and_preprocessor_alone(task, saved):
    backbone, rows = load_backbone(saved), load_preprocessor(saved, sequence_length=9)
    assert backbone.count_params() == task.backbone.count_params()
    assert type(rows) is GPT2TextClassifierPreprocessor
    assert max(map(len, rows.tokenize_rows(TEXTS))) == 9
