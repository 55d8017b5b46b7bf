"""GPT2CausalLM is saved, loaded and made again."""

import json

import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from kftune.models import (
    GPT2Backbone,
    GPT2CausalLM,
    GPT2CausalLMPreprocessor,
    TextClassifier,
)

pytestmark = pytest.mark.backend

TEXTS = ["good film", "it's a slow start!", "", "The film isn't bad: see it."]


@pytest.mark.long
def test_a_saved_task_is_a_preset_of_keras_hub(task, tmp_path):
    task.save_to_preset(tmp_path)
    for path in tmp_path.glob("*.json"):
        assert "kftune" not in path.read_text("utf-8")
    theirs = keras_hub.models.CausalLM.from_preset(str(tmp_path))
    assert type(theirs) is keras_hub.models.GPT2CausalLM
    theirs.compile(sampler="greedy")
    again = GPT2CausalLM.from_preset(tmp_path, offline=True)
    again.compile(sampler="greedy")
    expected = task.generate(TEXTS[:2], max_length=16)
    for model in (theirs, again):
        assert model.preprocessor.sequence_length == 20
        assert model.generate(TEXTS[:2], max_length=16) == expected


@pytest.mark.long
def test_a_saved_task_of_keras_hub_becomes_ours(stock, tmp_path):
    stock.save_to_preset(str(tmp_path))
    ours = GPT2CausalLM.from_preset(tmp_path)
    ours.compile(sampler="greedy")
    assert type(ours.preprocessor) is GPT2CausalLMPreprocessor
    expected = stock.generate(TEXTS[:2], max_length=16)
    assert ours.generate(TEXTS[:2], max_length=16) == expected


@pytest.mark.long
def test_integer_weights_are_saved_and_saved_again(task, tmp_path, quick):
    task.quantize("int8")
    task.compile(sampler="greedy", **quick)
    expected = task.generate(TEXTS[:2], max_length=16)
    task.save_to_preset(tmp_path / "once")
    again = GPT2CausalLM.from_preset(tmp_path / "once")
    again.save_to_preset(tmp_path / "twice")
    theirs = keras_hub.models.CausalLM.from_preset(str(tmp_path / "twice"))
    ours = GPT2CausalLM.from_preset(tmp_path / "twice")
    for model in (theirs, ours):
        assert model.backbone.token_embedding.quantization_mode == "int8"
        model.compile(sampler="greedy", **quick)
        assert model.generate(TEXTS[:2], max_length=16) == expected


def test_integer_weights_are_evaluated_in_a_graph(task, quick):
    task.quantize("int8")
    task.compile(**quick)
    expected = task.evaluate(TEXTS, verbose=0, return_dict=True)["loss"]
    batches = tf.data.Dataset.from_tensors(TEXTS)
    loss = task.evaluate(batches, verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(expected, abs=1e-4)


@pytest.mark.long
def test_without_a_preprocessor(task, tmp_path):
    task.save_to_preset(tmp_path)
    for name in ("tokenizer.json", "preprocessor.json"):
        (tmp_path / name).unlink()
    bare = GPT2CausalLM.from_preset(tmp_path, preprocessor=None)
    assert bare.preprocessor is None
    bare.save_to_preset(tmp_path / "bare")
    assert not (tmp_path / "bare" / "tokenizer.json").exists()
    bare = GPT2CausalLM.from_preset(tmp_path / "bare", preprocessor=None)
    bare.compile(sampler="greedy")
    given = task.preprocessor.generate_preprocess(TEXTS[:2])
    task.preprocessor = None
    expected, received = (
        model.generate(given, stop_token_ids=None) for model in (task, bare)
    )
    np.testing.assert_array_equal(received["token_ids"], expected["token_ids"])
    with pytest.raises(ValueError, match="preprocessor"):
        bare.generate(given)
    with pytest.raises(ValueError, match="no preprocessor"):
        bare.fit(TEXTS)


def test_lengths_and_dtype_of_a_preset(task, tmp_path):
    task.save_to_preset(tmp_path)
    again = GPT2CausalLM.from_preset(tmp_path, sequence_length=12, dtype="bfloat16")
    assert again.preprocessor.sequence_length == 12
    assert again.backbone.compute_dtype == "bfloat16"
    with pytest.raises(ValueError, match="<= 40.*'sequence_length': 64"):
        GPT2CausalLM.from_preset(tmp_path, sequence_length=64)
    # KerasHub's default of 1024 is more than the positions.
    config = json.loads((tmp_path / "preprocessor.json").read_text())
    config["config"]["sequence_length"] = 1024
    (tmp_path / "preprocessor.json").write_text(json.dumps(config))
    assert GPT2CausalLM.from_preset(tmp_path).preprocessor.sequence_length == 40


def test_a_classifier_on_a_saved_language_model_and_back(task, tmp_path):
    task.save_to_preset(tmp_path / "lm")
    classifier = TextClassifier.from_preset(tmp_path / "lm", num_classes=2)
    assert type(classifier.backbone) is GPT2Backbone
    classifier.save_to_preset(tmp_path / "classifier")
    again = GPT2CausalLM.from_preset(tmp_path / "classifier")
    for received, wanted in zip(again.get_weights(), task.get_weights(), strict=True):
        np.testing.assert_array_equal(received, wanted)
    # Saved over a classifier, nothing of its head stays to be loaded.
    task.save_to_preset(tmp_path / "classifier")
    assert not (tmp_path / "classifier" / "task.weights.h5").exists()
    keras_hub.models.CausalLM.from_preset(str(tmp_path / "classifier"))


def test_a_failed_save_leaves_the_old_task(task, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    task.save_to_preset(tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    task.backbone.layer_norm.gamma.assign(task.backbone.layer_norm.gamma + 1)
    monkeypatch.setattr(keras_hub.models.GPT2Tokenizer, "save_to_preset", fail)
    with pytest.raises(OSError, match="disk full"):
        task.save_to_preset(tmp_path)
    left = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == files


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "tokenizer.json"])
def test_a_missing_file_is_one_clear_error(task, tmp_path, name):
    task.save_to_preset(tmp_path)
    (tmp_path / "preprocessor.json").unlink()
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}.*Nothing was loaded"):
        GPT2CausalLM.from_preset(tmp_path)


def test_other_models_and_options_are_refused(task, stock_backbone, tmp_path):
    with pytest.raises(TypeError, match="keras_hub.*GPT2Backbone.from_keras_hub"):
        GPT2CausalLM(stock_backbone)
    with pytest.raises(TypeError, match=r"\['smapler'\]"):
        GPT2CausalLM(task.backbone, smapler="greedy")
    with pytest.raises(ValueError, match="<= 40.*'sequence_length': 64"):
        GPT2CausalLM(
            task.backbone, GPT2CausalLMPreprocessor(task.preprocessor.tokenizer, 64)
        )
    keras_hub.models.BertBackbone(
        vocabulary_size=9, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    ).save_to_preset(str(tmp_path))
    with pytest.raises(ValueError, match="Expected a GPT2Backbone.*BertBackbone"):
        GPT2CausalLM.from_preset(tmp_path, preprocessor=None)
    with pytest.raises(ValueError, match=r"\['token_ids'\]"):
        task.predict({"token_ids": np.ones((1, 3))})


def test_the_task_comes_back_from_its_config(task):
    again = GPT2CausalLM.from_config(task.get_config())
    assert again.backbone.get_config() == task.backbone.get_config()
    assert again.preprocessor.sequence_length == 20
