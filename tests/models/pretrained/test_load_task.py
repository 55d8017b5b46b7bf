"""Each kind of preset becomes the task that `from_preset` of its class makes."""

import keras
import keras_hub
import numpy as np
import pytest
from toy_pairs import save_tiny_preset

import kftune
from kftune.models import (
    GPT2CausalLM,
    GPT2TextClassifier,
    TextClassifier,
    TransformerSeq2SeqLM,
    attach_head,
    load_task,
    save_to_hugging_face,
)

pytestmark = pytest.mark.backend


def assert_same(task, cls, expected):
    assert type(task) is cls
    found, wanted = (
        x.preprocessor.tokenizer(["a good film"]) for x in (task, expected)
    )
    np.testing.assert_array_equal(found, wanted)
    for weight, other in zip(task.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(weight), keras.ops.convert_to_numpy(other)
        )


def test_a_saved_classifier(task, saved):
    loaded = load_task(saved)
    assert_same(loaded, GPT2TextClassifier, task)
    assert loaded.label_names == ["rotten", "fresh"]


def test_a_saved_classifier_on_another_backbone(make_backbone, tmp_path):
    task = attach_head(make_backbone("Bert"), 2)
    task.save_to_preset(tmp_path)
    assert type(load_task(tmp_path)) is TextClassifier


def test_a_saved_language_model(gpt2_lm, tmp_path):
    gpt2_lm.save_to_preset(tmp_path / "saved")
    loaded = load_task(tmp_path / "saved")
    expected = GPT2CausalLM.from_preset(tmp_path / "saved")
    assert_same(loaded, GPT2CausalLM, expected)


def test_a_language_model_of_keras_hub(language_model):
    assert_same(
        load_task(language_model),
        GPT2CausalLM,
        GPT2CausalLM.from_preset(language_model),
    )


def test_a_saved_encoder_decoder(tmp_path):
    save_tiny_preset(tmp_path)
    expected = TransformerSeq2SeqLM.from_preset(tmp_path)
    assert_same(load_task(str(tmp_path)), TransformerSeq2SeqLM, expected)


def test_a_hugging_face_folder(gpt2_lm, tmp_path):
    save_to_hugging_face(gpt2_lm, tmp_path / "hf")
    expected = GPT2CausalLM.from_preset(tmp_path / "hf")
    assert_same(load_task(tmp_path / "hf"), GPT2CausalLM, expected)


@pytest.mark.parametrize(
    ("name", "cls"),
    [("gpt2_tiny_en", GPT2CausalLM), ("transformer_tiny_en_de", TransformerSeq2SeqLM)],
)
def test_shipped_names(name, cls):
    assert type(load_task(name, offline=True)) is cls


def test_a_backbone_alone_says_what_loads_it(gpt2_backbone, tmp_path):
    gpt2_backbone.save_to_preset(tmp_path / "gpt2")
    with pytest.raises(ValueError) as error:
        load_task(tmp_path / "gpt2")
    assert str(tmp_path / "gpt2") in str(error.value)
    assert "the backbone GPT2Backbone and no task. Load it with" in str(error.value)
    assert "GPT2CausalLM.from_preset, or TextClassifier" in str(error.value)


def test_a_task_that_kftune_does_not_have_is_named(make_backbone, tmp_path):
    task = keras_hub.models.BertTextClassifier(make_backbone("Bert"), num_classes=2)
    task.save_to_preset(str(tmp_path))
    with pytest.raises(ValueError, match="Received: BertTextClassifier. Load it with"):
        load_task(tmp_path)


def test_an_unknown_name_and_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match="Received: 'gpt2_tiny'.*gpt2_tiny_en"):
        kftune.models.load_task("gpt2_tiny")
    with pytest.raises(FileNotFoundError, match="config.json"):
        load_task(tmp_path)


def test_a_backbone_saved_over_a_classifier_is_no_classifier(task, saved):
    task.backbone.save_to_preset(saved)
    assert not (saved / "task.json").exists()
    assert not (saved / "task.weights.h5").exists()
