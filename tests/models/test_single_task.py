import keras
import numpy as np
import pytest

from kftune.models import (
    DenseHead,
    GPT2TextClassifier,
    GPT2TextClassifierPreprocessor,
    TextClassifier,
    attach_head,
    single_task,
)
from kftune.tuning import freeze

pytestmark = pytest.mark.backend

IDS = {"token_ids": np.arange(1, 13).reshape(2, 6), "padding_mask": np.ones((2, 6))}
TEXTS = ["a good film", "so slow a start"]


@pytest.fixture
def heads():
    names = ["rotten", "fresh"]
    return {
        "verdict": DenseHead(2, hidden_dim=5, activation="softmax", label_names=names),
        "stars": DenseHead(1, problem_type="regression", use_bias=False),
    }


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "pooling", "made"),
    [("Bert", "first", TextClassifier), ("GPT2", None, GPT2TextClassifier)],
)
def test_the_numbers_of_one_head(kind, pooling, made, heads, make_backbone):
    task = attach_head(make_backbone(kind), heads, pooling=pooling)
    outputs = task.predict(IDS, verbose=0)
    for name, output in outputs.items():
        single = single_task(task, name)
        assert type(single) is made
        assert single.backbone is task.backbone
        np.testing.assert_allclose(single.predict(IDS, verbose=0), output, atol=1e-6)
    assert single_task(task, "verdict").label_names == ["rotten", "fresh"]
    # A copy: the task still has its own heads, under their names.
    assert [head.name for head in task.heads.values()] == ["verdict", "stars"]


def test_it_is_saved_as_an_ordinary_classifier(
    heads, gpt2_backbone, gpt2_tokenizer, tmp_path
):
    preprocessor = GPT2TextClassifierPreprocessor(gpt2_tokenizer, 24)
    task = attach_head(gpt2_backbone, heads, preprocessor)
    outputs = task.predict(TEXTS, verbose=0)
    single_task(task, "verdict").save_to_preset(tmp_path)
    again = GPT2TextClassifier.from_preset(tmp_path)
    assert again.label_names == ["rotten", "fresh"]
    np.testing.assert_allclose(
        again.predict(TEXTS, verbose=0), outputs["verdict"], atol=1e-5
    )
    # Those of the task are not touched.
    np.testing.assert_array_equal(
        task.predict(TEXTS, verbose=0)["stars"], outputs["stars"]
    )


def test_what_is_frozen_stays_frozen(heads, quick, make_backbone):
    task = attach_head(make_backbone("Bert"), heads)
    freeze(task, "all_but_last:1")
    single = single_task(task, "verdict")
    assert single.freeze_policy == "all_but_last:1"
    trained = {weight.path for weight in task.backbone.trainable_weights}
    assert {w.path for w in single.backbone.trainable_weights} == trained
    again = TextClassifier.from_config(single.get_config())
    assert len(again.trainable_weights) == len(single.trainable_weights)
    before = [keras.ops.convert_to_numpy(w) for w in single.non_trainable_weights]
    single.compile(keras.optimizers.SGD(0.1), **quick)
    single.fit(IDS, np.array([0, 1]), verbose=0)
    for old, new in zip(before, single.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(old, keras.ops.convert_to_numpy(new))


def test_a_frozen_head_stays_frozen(heads, make_backbone):
    task = attach_head(make_backbone("Bert"), heads)
    freeze(task, "regex:^verdict/")
    single = single_task(task, "verdict")
    assert not single.head.trainable_weights
    assert single_task(task, "stars").head.trainable_weights


@pytest.mark.long
def test_factors_of_lora_are_saved_in_their_weights(
    heads, quick, gpt2_backbone, gpt2_tokenizer, tmp_path
):
    preprocessor = GPT2TextClassifierPreprocessor(gpt2_tokenizer, 24)
    task = attach_head(gpt2_backbone, heads, preprocessor)
    plain = task.predict(TEXTS, verbose=0)["verdict"]
    freeze(task, "lora:rank=2")
    task.compile(keras.optimizers.Adam(0.05), **quick)
    y = {"verdict": np.array([0, 1]), "stars": np.array([1.0, 5.0])}
    task.fit(TEXTS, y, epochs=3, verbose=0)
    outputs = task.predict(TEXTS, verbose=0)["verdict"]
    assert np.abs(outputs - plain).max() > 1e-3
    single_task(task, "verdict").save_to_preset(tmp_path)
    again = GPT2TextClassifier.from_preset(tmp_path).predict(TEXTS, verbose=0)
    np.testing.assert_allclose(again, outputs, atol=1e-5)


def test_an_unknown_head_is_named(heads, make_backbone):
    task = attach_head(make_backbone("Bert"), heads)
    with pytest.raises(ValueError, match=r"\['verdict', 'stars'\]. Received: 'topic'"):
        single_task(task, "topic")
