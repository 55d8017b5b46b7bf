"""Compiling again keeps everything but the optimizer's slots."""

import gc
import weakref

import keras
import keras_hub
import numpy as np
import pytest

from kftune.tuning import freeze
from kftune.tuning.recompile import fresh_optimizer, renew_optimizer, slot_bytes

pytestmark = pytest.mark.backend

HEAD = 8 * 3 + 3


def compile_(model, optimizer, **settings):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, **settings)


def fit(model, batch, epochs=1):
    """Takes three steps an epoch."""
    model.fit(*batch, batch_size=2, epochs=epochs, shuffle=False, verbose=0)


def value(variable):
    return np.array(keras.ops.convert_to_numpy(variable))


def slots(optimizer):
    return [variable for variable in optimizer.variables if len(variable.shape)]


def test_settings_are_the_same_objects(classifier, batch):
    metric = keras.metrics.SparseCategoricalAccuracy(name="plain")
    weighted = keras.metrics.SparseCategoricalAccuracy(name="weighted")
    compile_(
        classifier,
        keras.optimizers.SGD(0.5, momentum=0.9),
        metrics=[metric],
        weighted_metrics=[weighted],
        loss_weights=[2.0],
        run_eagerly=True,
        jit_compile=False,
    )
    loss, optimizer = classifier.loss, classifier.optimizer
    before = classifier.evaluate(*batch, verbose=0, return_dict=True)
    freeze(classifier, "backbone")
    assert classifier.loss is loss
    assert classifier.run_eagerly is True
    assert classifier.jit_compile is False
    assert classifier.optimizer is not optimizer
    assert classifier.optimizer.get_config() == optimizer.get_config()
    metric.reset_state()
    weighted.reset_state()
    after = classifier.evaluate(*batch, verbose=0, return_dict=True)
    assert after == pytest.approx(before)
    # The objects themselves were updated, with all six rows.
    assert [float(value(m.count)) for m in (metric, weighted)] == [6, 6]


def test_settings_that_changed_after_compile_are_kept(classifier):
    compile_(classifier, "adam")
    classifier.run_eagerly = True
    classifier.jit_compile = False
    classifier.optimizer.learning_rate = 0.125
    freeze(classifier, "backbone")
    assert classifier.run_eagerly is True
    assert classifier.jit_compile is False
    assert float(value(classifier.optimizer.learning_rate)) == 0.125


@pytest.mark.skipif(
    keras.config.backend() == "torch", reason="Keras allows only 1 on torch"
)
def test_steps_per_execution_is_kept(classifier, batch):
    compile_(classifier, "adam", steps_per_execution=3)
    freeze(classifier, "backbone")
    assert classifier.steps_per_execution == 3
    fit(classifier, batch)
    assert int(classifier.optimizer.iterations) == 3


def test_a_causal_lm_keeps_its_sampler_and_generates_anew(gpt2, batch):
    task = keras_hub.models.GPT2CausalLM(gpt2)
    sampler = keras_hub.samplers.GreedySampler()
    task.compile(sampler=sampler)
    x, _ = batch
    prompts = {name: array.copy() for name, array in x.items()}
    prompts["padding_mask"][:, 3:] = 0
    loss = task.loss
    # Two policies that train equally many weights of equal shapes.
    freeze(task, "regex:embedding|layer_0|^layer_norm")
    task.generate(prompts, stop_token_ids=None)
    freeze(task, "regex:embedding|layer_1|^layer_norm")
    assert task.sampler is sampler
    assert task.loss is loss
    generated = task.generate(prompts, stop_token_ids=None)["token_ids"]
    logits = value(task({**x, "token_ids": generated}))
    np.testing.assert_array_equal(generated[:, 3], logits[:, 2].argmax(-1))


@pytest.mark.long
def test_slots_are_empty_and_steps_go_on(classifier, batch):
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, 10, 0.0)
    compile_(classifier, keras.optimizers.Adam(schedule))
    fit(classifier, batch)
    freeze(classifier, "backbone")
    optimizer = classifier.optimizer
    assert int(optimizer.iterations) == 3
    assert float(value(optimizer.learning_rate)) == pytest.approx(0.1 * 0.7)
    assert [slot.shape for slot in slots(optimizer)] == [(8, 3), (8, 3), (3,), (3,)]
    assert all(np.all(value(slot) == 0) for slot in slots(optimizer))
    fit(classifier, batch)
    assert int(optimizer.iterations) == 6


@pytest.mark.long
def test_gradient_accumulation_goes_on(classifier, batch):
    compile_(classifier, keras.optimizers.SGD(0.5, gradient_accumulation_steps=3))
    fit(classifier, batch, epochs=2)
    freeze(classifier, "backbone")
    optimizer = classifier.optimizer
    assert optimizer.gradient_accumulation_steps == 3
    assert int(optimizer.iterations) == 2
    kernel = classifier.get_layer("head").kernel
    before = value(kernel)
    x, y = batch
    two_steps = {name: array[:4] for name, array in x.items()}, y[:4]
    fit(classifier, two_steps)
    np.testing.assert_array_equal(value(kernel), before)
    fit(classifier, two_steps)
    assert not np.array_equal(value(kernel), before)


@pytest.mark.long
def test_a_loss_scale_optimizer_is_wrapped_once(classifier, batch):
    inner = keras.optimizers.Adam(0.25)
    compile_(classifier, keras.optimizers.LossScaleOptimizer(inner, 2.0**8))
    fit(classifier, batch)
    freeze(classifier, "backbone")
    optimizer = classifier.optimizer
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    assert type(optimizer.inner_optimizer) is type(inner)
    assert optimizer.inner_optimizer is not inner
    assert optimizer.initial_scale == 2.0**8
    assert int(optimizer.iterations) == 3
    assert slot_bytes(optimizer) == 2 * 4 * HEAD
    fit(classifier, batch)
    assert int(optimizer.iterations) == 6


def test_several_optimizers_are_made_anew(classifier, batch):
    slow, fast = keras.optimizers.SGD(0.25), keras.optimizers.Adam(0.5)
    routes = keras.optimizers.OptimizerMap(slow, {"head/.*": fast})
    compile_(classifier, keras.optimizers.MultiOptimizer(routes))
    fit(classifier, batch)
    freeze(classifier, "all_but_last:1")
    optimizer = classifier.optimizer
    rates = {type(o).__name__: float(o.learning_rate) for o in optimizer.optimizers}
    assert rates == {"SGD": 0.25, "Adam": 0.5}
    assert [int(o.iterations) for o in optimizer.optimizers] == [3, 3]
    assert slot_bytes(optimizer) == 2 * 4 * HEAD


@pytest.mark.long
def test_moving_averages_start_at_the_weights(classifier, batch):
    compile_(classifier, keras.optimizers.SGD(0.0, use_ema=True, ema_momentum=0.5))
    fit(classifier, batch)
    kernel = classifier.get_layer("head").kernel
    before = value(kernel)
    freeze(classifier, "backbone")
    fit(classifier, batch)
    # Keras writes the averages over the weights at the end; without learning they
    # are the same.
    np.testing.assert_allclose(value(kernel), before, rtol=1e-6)


def test_what_is_excluded_from_weight_decay_stays_so(gpt2, classifier):
    optimizer = keras.optimizers.SGD(0.5, weight_decay=0.5)
    head = classifier.get_layer("head")
    optimizer.exclude_from_weight_decay(var_list=[head.kernel], var_names=["beta"])
    compile_(classifier, optimizer)
    classifier.optimizer.build(classifier.trainable_variables)
    fresh = fresh_optimizer(optimizer)
    norm = gpt2.layer_norm
    weights = [head.bias, head.kernel, norm.gamma, norm.beta]
    for weight in weights:
        weight.assign(np.ones(weight.shape))
    fresh.build(weights)
    fresh.apply([keras.ops.zeros(weight.shape) for weight in weights])
    # A step decays by rate * decay = 0.25 what is not excluded.
    assert [float(value(weight).flat[0]) for weight in weights] == [0.75, 1, 0.75, 1]


class _NoConfig(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.125


def test_a_schedule_without_config_is_refused_and_nothing_is_frozen(classifier):
    compile_(classifier, keras.optimizers.Adam(_NoConfig()))
    with pytest.raises(ValueError, match=r"Received: Adam .*_NoConfig"):
        freeze(classifier, "backbone")
    assert not classifier.non_trainable_weights


def test_mixed_precision_is_not_scaled_against_ones_will(batch):
    x = np.ones((6, 4), "float32")
    for auto in (True, False):
        model = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(4, name="below"),
                keras.layers.Dense(3, dtype="float32"),
            ]
        )
        model.dtype_policy = keras.DTypePolicy("mixed_float16")
        compile_(model, "adam", auto_scale_loss=auto)
        freeze(model, "regex:below")
        wrapped = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        assert wrapped == auto
        model.fit(x, batch[1], verbose=0)


@pytest.mark.long
def test_a_renewed_optimizer_leaves_all_else_as_it_was(classifier, batch):
    metric = keras.metrics.SparseCategoricalAccuracy(name="plain")
    compile_(
        classifier,
        keras.optimizers.SGD(0.5, momentum=0.9),
        metrics=[metric],
        loss_weights=[2.0],
        jit_compile=False,
    )
    fit(classifier, batch)
    loss, config = classifier.loss, classifier.get_compile_config()
    before = classifier.evaluate(*batch, verbose=0)
    old = weakref.ref(classifier.optimizer)
    renew_optimizer(classifier)
    gc.collect()
    assert old() is None  # and the memory of its slots is free
    assert classifier.loss is loss
    assert classifier.get_compile_config() == config
    assert classifier.jit_compile is False
    assert classifier.evaluate(*batch, verbose=0) == pytest.approx(before)
    assert int(classifier.optimizer.iterations) == 3
    assert all(
        np.any(value(s)) for s in slots(classifier.optimizer) if "head" in s.path
    )
