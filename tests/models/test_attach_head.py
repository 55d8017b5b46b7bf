import keras
import keras_hub
import numpy as np
import pytest

from kftune.models import (
    DenseHead,
    GPT2TextClassifier,
    TextClassifier,
    attach_head,
    mask_missing_labels,
)

pytestmark = pytest.mark.backend


def batch(side="right", lengths=(7, 3, 5, 1)):
    generator = np.random.default_rng(5)
    token_ids, mask = np.zeros((4, 7), int), np.zeros((4, 7), int)
    for i, length in enumerate(lengths):
        place = slice(0, length) if side == "right" else slice(7 - length, 7)
        token_ids[i, place] = generator.integers(1, 50, length)
        mask[i, place] = 1
    return {"token_ids": token_ids, "padding_mask": mask}


def encoder_states(backbone, inputs):
    """Hidden states from a direct call, with all inputs spelled out."""
    ids, mask = inputs["token_ids"], inputs["padding_mask"]
    features = {
        "token_ids": ids,
        "padding_mask": mask,
        "segment_ids": np.zeros_like(ids),
        "encoder_token_ids": ids,
        "encoder_padding_mask": mask,
        "decoder_token_ids": ids,
        "decoder_padding_mask": mask,
    }
    outputs = backbone({name: features[name] for name in backbone.input})
    if isinstance(outputs, dict):
        outputs = outputs.get("sequence_output", outputs.get("encoder_sequence_output"))
    return keras.ops.convert_to_numpy(outputs)


KINDS = ["Bert", "Bart", "T5", "GPT2", "Roberta"]


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_those_of_the_pooled_backbone(kind, make_backbone):
    backbone = make_backbone(kind)
    task = attach_head(backbone, DenseHead(3, use_bias=False), pooling="mean")
    inputs = batch()
    states, mask = encoder_states(backbone, inputs), inputs["padding_mask"][:, :, None]
    mean = (states * mask).sum(axis=1) / mask.sum(axis=1)
    expected = mean @ task.head.get_weights()[0]
    np.testing.assert_allclose(task.predict(inputs, verbose=0), expected, atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_left_padding_gives_the_same(kind, make_backbone):
    task = attach_head(make_backbone(kind), 3)
    right = task.predict(batch("right"), verbose=0)
    np.testing.assert_allclose(task.predict(batch("left"), verbose=0), right, atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["Bert", "Bart", "T5"])
def test_training_moves_what_takes_part_and_nothing_else(kind, quick, make_backbone):
    task = attach_head(make_backbone(kind), 2)
    task.compile(keras.optimizers.AdamW(0.01, weight_decay=0.1), **quick)
    apart = {
        weight.path: weight.numpy().copy()
        for weight in task.backbone.weights
        if "decoder" in weight.path or "pooled" in weight.path
    }
    before = task.head.get_weights()[0]
    encoder = next(w for w in task.backbone.weights if "layer_0" in w.path)
    encoder_before = encoder.numpy().copy()
    assert apart
    task.fit(batch(), np.array([0, 1, 0, 1]), verbose=0)
    assert np.abs(task.head.get_weights()[0] - before).max() > 1e-4
    assert np.abs(encoder.numpy() - encoder_before).max() > 1e-4
    for weight in task.backbone.weights:
        if weight.path in apart:
            np.testing.assert_array_equal(weight.numpy(), apart[weight.path])


def test_pooling_follows_the_kind_of_attention(make_backbone):
    assert attach_head(make_backbone("Bert"), 2).pooling == "mean"
    assert attach_head(make_backbone("Bart"), 2).pooling == "mean"
    assert attach_head(make_backbone("GPT2"), 2).pooling == "last"
    assert attach_head(make_backbone("Bert"), 2, pooling="first").pooling == "first"


def test_a_number_of_classes_on_a_gpt2_makes_its_own_class(make_backbone):
    task = attach_head(make_backbone("GPT2"), 2, dropout=0.3, label_names=["no", "yes"])
    assert type(task) is GPT2TextClassifier
    assert task.head.dropout == 0.3
    assert task.label_names == ["no", "yes"]
    assert type(attach_head(make_backbone("GPT2"), DenseHead(2))) is TextClassifier


@pytest.fixture
def heads():
    return {
        "topic": DenseHead(3, label_names=["a", "b", "c"]),
        "stars": DenseHead(1, problem_type="regression"),
        "tags": DenseHead(2, problem_type="multi_label_classification"),
    }


LABELS = {
    "topic": [0, 2, -1, 1],
    "stars": [4.5, float("nan"), 1.0, float("nan")],
    "tags": [[0, 1], [1, 1], [-1, -1], [0, 0]],
}


@pytest.mark.long
def test_several_heads_train_in_one_fit(heads, quick, make_backbone):
    task = attach_head(make_backbone("Bert"), heads)
    task.compile(keras.optimizers.Adam(0.02), **quick)
    y, sample_weight = mask_missing_labels(LABELS)
    before = {name: head.get_weights()[0] for name, head in task.head.items()}
    first = task.evaluate(
        batch(), y, sample_weight=sample_weight, return_dict=True, verbose=0
    )
    task.fit(batch(), y, sample_weight=sample_weight, epochs=30, verbose=0)
    last = task.evaluate(
        batch(), y, sample_weight=sample_weight, return_dict=True, verbose=0
    )
    assert last["loss"] < first["loss"] / 4
    assert last["topic_accuracy"] == 1
    for name, head in task.head.items():
        assert np.abs(head.get_weights()[0] - before[name]).max() > 1e-3
    outputs = task.predict(batch(), verbose=0)
    assert {name: output.shape for name, output in outputs.items()} == {
        "topic": (4, 3),
        "stars": (4, 1),
        "tags": (4, 2),
    }
    assert task.label_names == {"topic": ["a", "b", "c"], "stars": None, "tags": None}


def test_metrics_of_several_heads_leave_missing_labels_out(heads, make_backbone):
    task = attach_head(make_backbone("Bert"), heads)
    outputs = task.predict(batch(), verbose=0)
    y, sample_weight = mask_missing_labels(LABELS)
    scores = task.evaluate(
        batch(), y, sample_weight=sample_weight, return_dict=True, verbose=0
    )
    errors = np.abs(outputs["stars"][[0, 2], 0] - np.array([4.5, 1.0]))
    assert scores["stars_mae"] == pytest.approx(errors.mean(), abs=1e-5)
    right = outputs["topic"].argmax(axis=-1)[[0, 1, 3]] == np.array([0, 2, 1])
    assert scores["topic_accuracy"] == pytest.approx(right.mean(), abs=1e-6)


@pytest.mark.long
def test_a_missing_label_has_no_effect_on_training(heads, quick, make_backbone):
    def trained(value):
        keras.utils.set_random_seed(1)
        task = attach_head(make_backbone("Bert"), {"topic": DenseHead(3, dropout=0)})
        task.compile(keras.optimizers.SGD(0.1), **quick)
        weights = {"topic": np.array([1, 1, 0, 1], "float32")}
        y = {"topic": np.array([0, 2, value, 1])}
        task.fit(batch(), y, sample_weight=weights, verbose=0)
        return task.get_weights()

    for one, other in zip(trained(0), trained(2), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["Bert", "Bart"])
def test_config_round_trip(kind, heads, make_backbone):
    task = attach_head(make_backbone(kind), heads, pooling="first")
    again = TextClassifier.from_config(task.get_config())
    assert list(again.head) == ["topic", "stars", "tags"]
    assert again.pooling == "first"
    assert [w.shape for w in again.weights] == [w.shape for w in task.weights]


def test_a_backbone_over_images_is_refused():
    backbone = keras_hub.models.ViTBackbone(
        image_shape=(4, 4, 3),
        patch_size=2,
        num_layers=1,
        num_heads=1,
        hidden_dim=4,
        mlp_dim=4,
    )
    with pytest.raises(ValueError, match="ViTBackbone"):
        attach_head(backbone, 2)


@pytest.mark.parametrize("head", [DenseHead(2), {"a": DenseHead(2)}])
def test_options_that_nobody_takes_are_refused_together(head, make_backbone):
    with pytest.raises(TypeError, match=r"'pooling'.*Received: \['droput', 'size'\]"):
        attach_head(make_backbone("Bert"), head, size=3, droput=0.3)


def test_a_task_in_place_of_its_backbone_is_refused(make_backbone):
    task = keras_hub.models.BartSeq2SeqLM(make_backbone("Bart"))
    with pytest.raises(TypeError, match="BartSeq2SeqLM.*task.backbone"):
        attach_head(task, 2)


@pytest.mark.parametrize("kind", ["Bert", "GPT2"])
def test_the_number_of_classes_may_come_from_numpy(kind, make_backbone):
    task = attach_head(make_backbone(kind), np.int64(3))
    assert type(task.head.num_classes) is int
    assert task.head.num_classes == 3
    assert type(task) is (GPT2TextClassifier if kind == "GPT2" else TextClassifier)
