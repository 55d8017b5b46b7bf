import keras
import numpy as np
import pytest

from kftune.models import TransformerBackbone, TransformerSeq2SeqLM, attach_head
from kftune.training import adamw
from kftune.tuning import freeze, layerwise_learning_rates, merge, weight_depths

pytestmark = pytest.mark.backend

RATE, DECAY = 0.5, 0.5
# Compiling takes longer than the few steps.
EAGERLY = {"run_eagerly": keras.config.backend() != "jax"}


def values(variables):
    return [np.array(keras.ops.convert_to_numpy(each)) for each in variables]


def translation_task(encoder=3, decoder=2):
    sizes = {"decoder_num_layers": decoder, "embedding_layer_norm": True}
    backbone = TransformerBackbone(50, encoder, 2, 8, 16, 0.0, **sizes)
    return TransformerSeq2SeqLM(backbone)


@pytest.fixture
def tasks(make_backbone, batch):
    """Makes a task by name, and a batch for it."""

    def make(name):
        if name == "translation":
            ids = batch[0]["token_ids"]
            sides = [
                f"{side}_{part}" for side in ("encoder", "decoder") for part in batch[0]
            ]
            x = dict(zip(sides, [*batch[0].values()] * 2, strict=True))
            return translation_task(), (x, ids)
        return attach_head(make_backbone(name, dropout=0.5), 3), batch

    return make


def trained(task, batch, optimizer, steps=1):
    """Weights after some steps; the task is then as before."""
    variables = task.variables
    before = values(variables)
    task.compile(optimizer, **EAGERLY)
    keras.utils.set_random_seed(5)  # PyTorch's dropout has no state in the task
    for _ in range(steps):
        task.train_on_batch(*batch)
    after = by_path(task)
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    return after


def apply_ones(model):
    """Takes a step with gradients of 1, as dropout would differ."""
    weights = model.trainable_weights
    model.optimizer.apply([keras.ops.ones(w.shape) for w in weights], weights)


def by_path(model):
    return dict(
        zip([w.path for w in model.weights], values(model.weights), strict=True)
    )


def depths_of(task, layers):
    """The depth of each layer, all of whose weights are at one."""
    depths = {id(weight): depth for weight, depth in weight_depths(task)}
    found = [{depths[id(weight)] for weight in layer.weights} for layer in layers]
    assert all(len(each) == 1 for each in found)
    return [each.pop() for each in found]


@pytest.mark.parametrize("kind", ["GPT2", "Bert", "Roberta"])
def test_depths_count_from_the_head_to_the_embeddings(make_backbone, kind):
    task = attach_head(make_backbone(kind), 3)
    layers = [
        layer
        for layer in task.backbone.layers
        if layer.weights and layer not in task.unused_layers
    ]
    found = dict(
        zip([layer.name for layer in layers], depths_of(task, layers), strict=True)
    )
    expected = {
        "GPT2": {"token_embedding": 3, "position_embedding": 3, "layer_norm": 0},
        "Bert": {
            "token_embedding": 3,
            "position_embedding": 3,
            "segment_embedding": 3,
            "embeddings_layer_norm": 3,
        },
        "Roberta": {"embeddings": 3, "embeddings_layer_norm": 3},
    }
    blocks = {"transformer_layer_1": 1, "transformer_layer_0": 2}
    assert found == {**expected[kind], **blocks}
    assert depths_of(task, [task.head]) == [0]


def test_an_encoder_and_a_decoder_count_their_own_blocks():
    task = translation_task(encoder=3, decoder=2)
    backbone = task.backbone
    assert depths_of(task, backbone.encoder_transformer_layers) == [3, 2, 1]
    assert depths_of(task, backbone.decoder_transformer_layers) == [2, 1]
    others = [
        backbone.get_layer(name)
        for name in (
            "token_embedding",
            "encoder_embeddings_layer_norm",
            "decoder_embeddings_layer_norm",
        )
    ]
    assert depths_of(task, others) == [4, 4, 4]


def test_a_stack_that_takes_no_part_does_not_count(make_backbone):
    task = attach_head(make_backbone("Bart", num_layers=2), 3)
    blocks = task.backbone.encoder_transformer_layers
    assert depths_of(task, blocks) == [2, 1]
    assert max(depth for _, depth in weight_depths(task)) == 3
    assert not any("decoder" in weight.path for weight, _ in weight_depths(task))


def test_an_output_that_is_not_tied_is_at_the_whole_rate():
    backbone = TransformerBackbone(50, 1, 2, 8, 16, 0.0, tie_output=False)
    depths = {w.path: d for w, d in weight_depths(TransformerSeq2SeqLM(backbone))}
    assert [d for path, d in depths.items() if "reverse_embeddings" in path] == [0]
    assert depths["token_embedding/embeddings"] == 2


@pytest.mark.long
@pytest.mark.parametrize("name", ["GPT2", "Bert", "translation"])
def test_a_step_is_that_of_sgd_at_the_rate_of_each_depth(tasks, name):
    task, batch = tasks(name)
    start = by_path(task)
    optimizer = layerwise_learning_rates(task, keras.optimizers.SGD(RATE), DECAY)
    received = trained(task, batch, optimizer)
    depths = {weight.path: depth for weight, depth in weight_depths(task)}
    for depth in sorted(set(depths.values())):
        plain = keras.optimizers.SGD(RATE * DECAY**depth)
        expected = trained(task, batch, plain)
        paths = [path for path in depths if depths[path] == depth]
        assert any((expected[path] != start[path]).any() for path in paths)
        for path in paths:
            np.testing.assert_allclose(
                received[path], expected[path], rtol=0, atol=1e-6, err_msg=path
            )
    assert set(depths.values()) - {0} == (
        {1, 2, 3, 4} if name == "translation" else {1, 2, 3}
    )


@pytest.mark.long
def test_without_decay_a_run_is_that_of_the_plain_optimizer(tasks):
    task, batch = tasks("GPT2")

    def plain():
        return adamw(task, 0.01, total_steps=4, weight_decay=0.1)

    expected = trained(task, batch, plain(), steps=3)
    optimizer = layerwise_learning_rates(task, plain(), decay=1.0)
    assert len(optimizer.optimizers) == 4
    received = trained(task, batch, optimizer, steps=3)
    for path, value in expected.items():
        np.testing.assert_allclose(
            received[path], value, rtol=0, atol=1e-6, err_msg=path
        )


def test_freezing_afterwards_keeps_rates_and_steps(tasks):
    task, batch = tasks("GPT2")
    optimizer = layerwise_learning_rates(task, adamw(task, 0.4, total_steps=100), DECAY)
    task.compile(optimizer, **EAGERLY)
    task.train_on_batch(*batch)
    freeze(task, "all_but_last:1")
    assert task.optimizer is not optimizer
    rates = [float(part.learning_rate) for part in task.optimizer.optimizers]
    assert rates == pytest.approx([0.02, 0.01, 0.005, 0.04])
    before = by_path(task)
    task.train_on_batch(*batch)
    after = by_path(task)
    changed = {path for path in before if (before[path] != after[path]).any()}
    assert any("transformer_layer_1" in path for path in changed)
    assert not any("layer_0" in path or "embedding" in path for path in changed)
    freeze(task, "nothing")
    counts = [int(part.iterations) for part in task.optimizer.optimizers]
    assert counts == [2, 2, 2, 2]


def test_lora_factors_that_come_later_have_the_rate_of_their_layer(tasks):
    task, _ = tasks("GPT2")
    optimizer = layerwise_learning_rates(task, keras.optimizers.SGD(RATE), DECAY)
    task.backbone.enable_lora(2)
    task.compile(optimizer, **EAGERLY)
    lora = [weight for weight in task.trainable_weights if "lora" in weight.path]
    blocks = [weight.path.split("/")[0] for weight in lora]
    depths = {"transformer_layer_0": 2, "transformer_layer_1": 1}
    assert set(blocks) == set(depths)
    before = values(lora)
    apply_ones(task)
    for block, value, old in zip(blocks, values(lora), before, strict=True):
        np.testing.assert_allclose(
            old - value, RATE * DECAY ** depths[block], atol=1e-6
        )


@pytest.mark.parametrize("name", ["GPT2", "translation"])
def test_merged_weights_have_the_rate_of_a_task_that_never_had_lora(tasks, name):
    (plain, _), (merged, _) = tasks(name), tasks(name)
    freeze(merged, "lora:rank=2")
    for task in (plain, merged):
        optimizer = layerwise_learning_rates(task, keras.optimizers.SGD(RATE), DECAY)
        task.compile(optimizer, **EAGERLY)
    merge(merged)
    freeze(merged, "nothing")
    received, expected = (moved_by_ones(task) for task in (merged, plain))
    assert len(set(expected.values())) > 3
    assert received == pytest.approx(expected, abs=1e-6)


def moved_by_ones(task):
    """The rate of each weight: how far a gradient of 1 moves it."""
    before = by_path(task)
    apply_ones(task)
    after = by_path(task)
    return {
        w.path: (before[w.path] - after[w.path]).mean() for w in task.trainable_weights
    }


def test_a_saved_model_goes_on_as_it_would_have(classifier, batch, tmp_path):
    plain = keras.optimizers.Adam(0.01)
    optimizer = layerwise_learning_rates(classifier, plain, DECAY)
    classifier.compile(optimizer, "sparse_categorical_crossentropy", **EAGERLY)
    classifier.train_on_batch(*batch)
    classifier.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    states = [values(each.optimizer.variables) for each in (classifier, loaded)]
    for one, other in zip(*states, strict=True):
        np.testing.assert_array_equal(one, other)
    for model in (classifier, loaded):
        apply_ones(model)
    weights = [values(model.weights) for model in (classifier, loaded)]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("decay", [0, 1.5, -0.1])
def test_a_decay_out_of_range_is_told(classifier, decay):
    with pytest.raises(ValueError, match=f"at most 1. Received: {decay}"):
        layerwise_learning_rates(classifier, keras.optimizers.SGD(RATE), decay)


def test_a_model_without_blocks_is_told():
    plain = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)], name="plain")
    with pytest.raises(ValueError, match="blocks. Received: Sequential 'plain"):
        layerwise_learning_rates(plain, keras.optimizers.SGD(RATE))
