"""Training through the cache trains the task, and computes what is frozen once."""

import keras
import keras_hub
import numpy as np
import pytest

import kftune
from kftune.data import LengthBucketed
from kftune.models import DenseHead, GPT2Backbone, attach_head
from kftune.models.bert.exact_gelu_bert_backbone import ExactGeluBertBackbone
from kftune.tuning import FrozenFeatureCache, freeze

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(0)
ROWS = [RNG.integers(1, 50, length) for length in RNG.integers(2, 17, 24)]
LABELS = RNG.integers(0, 3, 24)
# One shape, as JAX compiles each.
SETTINGS = {"batch_size": 8, "max_buckets": 1, "seed": 3}
FEATURES = "*/features.arrow"
SIZES = {
    "vocabulary_size": 50,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 16,
    "max_sequence_length": 16,
}


def make_task(
    policy="all_but_last:1", head=3, *, learning_rate=0.01, traced=False, **changes
):
    """A GPT-2 of the same weights each time, whose dropout would show.

    TensorFlow takes seconds to trace it, and few steps are quicker without.
    """
    keras.utils.set_random_seed(0)
    backbone = GPT2Backbone(**{**SIZES, "dropout": 0.3, **changes})
    task = attach_head(backbone, head)
    freeze(task, policy)
    task.compile(
        keras.optimizers.Adam(learning_rate),
        jit_compile=keras.config.backend() == "jax",
        run_eagerly=keras.config.backend() == "tensorflow" and not traced,
    )
    return task


def make_batches(rows=ROWS, labels=LABELS, **options):
    return LengthBucketed(rows, labels, **{**SETTINGS, **options})


def fit(model, batches, epochs=2):
    keras.utils.set_random_seed(1)  # of dropout, on PyTorch
    return model.fit(batches, epochs=epochs, shuffle=False, verbose=0).history


@pytest.fixture
def passes(monkeypatch):
    """Lists the names of models that computed a batch by themselves."""
    called = []
    compute = keras.Model.predict_on_batch

    def counted(self, x):
        called.append(self.name)
        return compute(self, x)

    monkeypatch.setattr(keras.Model, "predict_on_batch", counted)
    return called


@pytest.mark.long
@pytest.mark.parametrize(
    ("policy", "traced"), [("backbone", False), ("all_but_last:1", True)]
)
def test_losses_and_weights_are_those_of_the_whole_task(policy, traced, tmp_path):
    whole, task = (make_task(policy, traced=traced) for _ in range(2))
    expected = fit(whole, make_batches(max_buckets=2))
    cache = FrozenFeatureCache(task, tmp_path)
    received = fit(cache.model, cache.batches(make_batches(max_buckets=2)))
    assert received.keys() == expected.keys() == {"loss", "accuracy"}
    for name, values in expected.items():
        np.testing.assert_allclose(received[name], values, atol=1e-5)
    assert abs(expected["loss"][0] - expected["loss"][1]) > 1e-3
    for a, b in zip(whole.get_weights(), task.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_the_task_predicts_with_what_was_learned(tmp_path):
    task = make_task()
    cache = FrozenFeatureCache(task, tmp_path)
    test = make_batches(shuffle=False)
    before = test.restore_order(task.predict(test, verbose=0))
    fit(cache.model, cache.batches(make_batches()), epochs=1)
    after = test.restore_order(task.predict(test, verbose=0))
    assert np.abs(after - before).max() > 0.01
    features = cache.batches(test)
    through = features.restore_order(cache.model.predict(features, verbose=0))
    np.testing.assert_allclose(through, after, atol=1e-5)


def test_the_task_trains_on_after_the_cache(tmp_path):
    task = make_task()
    batches = make_batches()
    task.fit(batches, epochs=1, shuffle=False, verbose=0)
    steps = int(task.optimizer.iterations)
    cache = FrozenFeatureCache(task, tmp_path)
    cache.model.fit(cache.batches(batches), epochs=1, shuffle=False, verbose=0)
    assert int(task.optimizer.iterations) == steps  # its array is not the model's
    task.fit(batches, epochs=1, shuffle=False, verbose=0)
    assert int(task.optimizer.iterations) == 2 * steps


def test_batches_differ_in_x_alone(tmp_path):
    task = make_task(head={"topic": DenseHead(3), "tone": DenseHead(3)})
    cache = FrozenFeatureCache(task, tmp_path)
    weights = {"topic": RNG.random(24), "tone": RNG.random(24)}
    batches = make_batches(
        labels={"topic": LABELS, "tone": LABELS[::-1].copy()},
        sample_weight=weights,
        batch_size=None,
        max_tokens=64,
        max_buckets=2,
        drop_remainder=True,
    )
    features = cache.batches(batches)
    assert str(features) == str(batches)
    for epoch in range(2):
        assert features.state() == batches.state()
        for (x, *targets), ((states, mask), *same) in zip(
            batches, features, strict=True
        ):
            assert mask.tolist() == x["padding_mask"].astype(int).tolist()
            assert states.shape == (*mask.shape, 8)
            keras.tree.map_structure(np.testing.assert_array_equal, targets, same)
        batches.on_epoch_end()
        assert (features.epoch, batches.epoch) == (epoch, epoch + 1)
        features.on_epoch_end()
    expected = task.evaluate(batches, verbose=0, return_dict=True)
    received = cache.model.evaluate(features, verbose=0, return_dict=True)
    assert received == pytest.approx(expected, abs=1e-5)
    assert {"tone_loss", "topic_accuracy"} < received.keys()


def test_other_heads_and_rates_compute_nothing_again(passes, tmp_path):
    task = make_task()
    cache = FrozenFeatureCache(task, tmp_path)
    batches = make_batches()
    features = cache.batches(batches)
    # Once a batch, and once a batch of another data set in the same folder.
    assert len(passes) == len(batches)
    cache.batches(make_batches(ROWS[:8], LABELS[:8]))
    computed = len(batches) + 1
    assert len(passes) == computed
    fit(cache.model, features, epochs=1)

    head = DenseHead(5, hidden_dim=4, dropout=0.4)
    other = make_task(head=head, learning_rate=0.1)
    again = FrozenFeatureCache(other, tmp_path)
    other_batches = make_batches(labels=(LABELS + 1) % 3, seed=5, batch_size=12)
    fit(again.model, again.batches(other_batches), epochs=1)
    # The first task again, whose trained block is another one now.
    cache.batches(batches)
    assert len(passes) == computed
    assert len(list(tmp_path.glob(FEATURES))) == 2


@pytest.mark.long
@pytest.mark.parametrize(
    "change", ["a token", "rows", "policy", "dtype", "version", "weight", "layer"]
)
def test_whatever_features_depend_on_makes_them_anew(
    change, passes, tmp_path, monkeypatch
):
    FrozenFeatureCache(make_task(), tmp_path).batches(make_batches())
    computed, rows, labels = len(passes), ROWS, LABELS
    sizes = {"num_layers": 3} if change == "layer" else {}
    task = make_task("backbone" if change == "policy" else "all_but_last:1", **sizes)
    if change == "a token":
        rows = [*ROWS[:-1], np.where(np.arange(len(ROWS[-1])) == 1, 49, ROWS[-1])]
    if change == "rows":
        rows, labels = ROWS[8:], LABELS[8:]
    if change == "version":
        monkeypatch.setattr(kftune, "__version__", "9")
    if change == "weight":
        bias = task.backbone.transformer_layers[0].weights[-1]
        bias.assign(bias + 1e-6)
    dtype = "float16" if change == "dtype" else "float32"
    cache = FrozenFeatureCache(task, tmp_path, dtype)
    batches = make_batches(rows, labels)
    states = keras.tree.flatten(cache.batches(batches)[0])[0]
    assert len(passes) == computed + len(batches)
    assert len(list(tmp_path.glob(FEATURES))) == 2
    # A fresh folder gives the same: nothing of the old one was taken.
    fresh = FrozenFeatureCache(task, tmp_path / "fresh", dtype).batches(batches)
    np.testing.assert_array_equal(keras.tree.flatten(fresh[0])[0], states)


def test_settings_that_no_layer_knows_are_noticed(tmp_path):
    made = []
    for cls in (keras_hub.models.BertBackbone, ExactGeluBertBackbone):
        keras.utils.set_random_seed(0)
        backbone = cls(**SIZES)
        for weight in backbone.weights:
            weight.assign(weight * 9)  # GELU and its approximation are close at 0.
        task = attach_head(backbone, 3)
        freeze(task, "backbone")
        task.compile(run_eagerly=True, jit_compile=False)
        made.append(FrozenFeatureCache(task, tmp_path).batches(make_batches())[0][0])
    assert np.abs(made[0] - made[1]).max() > 1e-4


def test_weights_that_change_later_are_noticed(passes, tmp_path):
    cache = FrozenFeatureCache(make_task("backbone"), tmp_path)
    batches = make_batches()
    before = cache.batches(batches)[0][0]
    norm = cache._task.backbone.layer_norm
    norm.beta.assign(norm.beta + 1.0)
    after = cache.batches(batches)[0][0]
    np.testing.assert_allclose(after, before + 1.0, atol=1e-5)
    assert len(passes) == 2 * len(batches)


def test_what_was_half_written_is_not_used(passes, tmp_path, monkeypatch):
    cache = FrozenFeatureCache(make_task("backbone"), tmp_path)
    batches = make_batches()
    compute = cache._frozen.predict_on_batch

    def stop_at_the_second(x):
        if passes:
            raise KeyboardInterrupt
        return compute(x)

    monkeypatch.setattr(cache._frozen, "predict_on_batch", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        cache.batches(batches)
    assert len(passes) == 1
    assert not list(tmp_path.rglob("*.arrow"))
    monkeypatch.undo()
    # A process that is killed leaves its file behind under another name.
    folder = next(tmp_path.iterdir())
    (folder / ".0123456789ab-features.arrow").write_bytes(b"half")
    features = cache.batches(batches)
    pooled = np.concatenate([x for x, _ in features])
    assert np.isfinite(pooled).all() and pooled.any(axis=1).all()


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_takes_half_the_space(dtype, tmp_path):
    losses, sizes = {}, {}
    for stored in ("float32", dtype):
        cache = FrozenFeatureCache(make_task(), tmp_path / stored, stored)
        batches = cache.batches(make_batches())
        losses[stored] = fit(cache.model, batches, epochs=1)["loss"]
        sizes[stored] = next((tmp_path / stored).glob(FEATURES)).stat().st_size
    np.testing.assert_allclose(losses[dtype], losses["float32"], atol=5e-3)
    assert losses[dtype] != losses["float32"]
    numbers = sum(map(len, ROWS)) * 8
    assert sizes["float32"] - sizes[dtype] == pytest.approx(2 * numbers, rel=0.1)


def test_a_half_precision_backbone_loses_nothing(tmp_path):
    whole, task = (make_task(dtype="bfloat16") for _ in range(2))
    cache = FrozenFeatureCache(task, tmp_path, "bfloat16")
    received = fit(cache.model, cache.batches(make_batches()), epochs=1)
    expected = fit(whole, make_batches(), epochs=1)
    np.testing.assert_allclose(received["loss"], expected["loss"], atol=1e-3)


def test_the_rest_is_compiled_as_the_task(tmp_path):
    task = make_task()
    optimizer = keras.optimizers.AdamW(0.02, weight_decay=0.5)
    bias = task.head.output_dense.bias
    optimizer.exclude_from_weight_decay(var_list=[bias])
    task.compile(optimizer, jit_compile=False, run_eagerly=True)
    model = FrozenFeatureCache(task, tmp_path).model
    assert model.loss is task.loss
    assert (model.jit_compile, model.run_eagerly) == (False, True)
    assert model.optimizer is not optimizer
    assert model.optimizer.get_config() == optimizer.get_config()
    assert not model.optimizer._use_weight_decay(bias)
    task = attach_head(task.backbone, 2, compile=False)
    freeze(task, "backbone")
    assert not FrozenFeatureCache(task, tmp_path).model.compiled


def test_wrong_arguments_are_named(tmp_path):
    task = make_task("backbone")
    with pytest.raises(ValueError, match="'bfloat16'.*Received: 'int8'"):
        FrozenFeatureCache(task, tmp_path, "int8")
    cache = FrozenFeatureCache(task, tmp_path)
    with pytest.raises(TypeError, match="split_batches makes of texts. Received: list"):
        cache.batches(["a text"])
    with pytest.raises(ValueError, match="7"):
        cache.batches(make_batches(labels=np.where(LABELS == 2, 7, LABELS)))
    x = {"token_ids": ROWS, "segment_ids": ROWS}
    with pytest.raises(ValueError, match="Received: .*'segment_ids'"):
        cache.batches(make_batches(x))
    assert not list(tmp_path.rglob("*.arrow"))
