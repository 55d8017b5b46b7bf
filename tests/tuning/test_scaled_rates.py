"""Numbers against one plain optimizer of Keras, on a model of two layers."""

import keras
import numpy as np
import pytest

from kftune.tuning import ScaledRates
from kftune.tuning.recompile import fresh_optimizer

pytestmark = pytest.mark.backend

FACTORS = {"low/.*": 0.25}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 3)).astype("float32")
Y = RNG.normal(size=(8, 2)).astype("float32")


# Compiling takes longer than the few steps.
EAGERLY = {"run_eagerly": keras.config.backend() != "jax"}


def make_model(optimizer):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((3,))
    low = keras.layers.Dense(4, "tanh", name="low")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, name="head")(low))
    model.compile(optimizer, "mse", **EAGERLY)
    return model


def values(variables):
    return [np.array(keras.ops.convert_to_numpy(each)) for each in variables]


def trained(model, steps=1):
    for _ in range(steps):
        model.train_on_batch(X, Y)
    return values(model.weights)


def rates(optimizer):
    return [float(part.learning_rate) for part in optimizer.optimizers]


def test_a_step_is_the_plain_one_times_the_factor():
    start = values(make_model("sgd").weights)
    plain = trained(make_model(keras.optimizers.SGD(0.1)))
    model = make_model(ScaledRates(keras.optimizers.SGD(0.1), FACTORS))
    received = trained(model)
    for weight, before, one, other in zip(
        model.weights, start, plain, received, strict=True
    ):
        factor = 0.25 if weight.path.startswith("low") else 1
        expected = before + factor * (one - before)
        np.testing.assert_allclose(other, expected, rtol=0, atol=1e-6)
        assert (other != before).any()


OPTIMIZERS = {
    "adamw": lambda: keras.optimizers.AdamW(0.1, weight_decay=0.1),
    "clipped": lambda: keras.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.01),
    "clipnorm": lambda: keras.optimizers.SGD(0.1, clipnorm=0.01),
    "schedule": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    ),
    "accumulated": lambda: keras.optimizers.SGD(0.1, gradient_accumulation_steps=2),
    "averaged": lambda: keras.optimizers.Adam(0.1, use_ema=True, ema_momentum=0.5),
    "scaled_loss": lambda: keras.optimizers.SGD(0.1, loss_scale_factor=8.0),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_with_factors_of_1_a_run_is_that_of_the_plain_optimizer(name):
    plain = trained(make_model(OPTIMIZERS[name]()), steps=4)
    optimizer = ScaledRates(OPTIMIZERS[name](), {"low/.*": 1.0})
    received = trained(make_model(optimizer), steps=4)
    for one, other in zip(plain, received, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-6)


def test_the_global_norm_is_that_of_all_gradients():
    """Were each group clipped alone, both would take a step of length 0.01 x 0.1."""
    limit, rate = 0.01, 0.1
    optimizer = keras.optimizers.SGD(rate, global_clipnorm=limit)
    start = values(make_model("sgd").weights)
    after = trained(make_model(ScaledRates(optimizer, FACTORS)))
    low, head = (
        np.sqrt(sum(np.sum((a - b) ** 2) for a, b in pairs)) / rate
        for pairs in np.split(np.array([*zip(start, after, strict=True)], object), 2)
    )
    assert np.hypot(low / 0.25, head) == pytest.approx(limit, rel=1e-3)


def test_decay_is_multiplied_with_the_rate_and_spares_what_is_excluded():
    optimizer = ScaledRates(keras.optimizers.AdamW(0.1, weight_decay=0.5), FACTORS)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model = make_model(optimizer)
    for weight in model.weights:
        weight.assign(np.ones(weight.shape))
    zeros = [keras.ops.zeros(weight.shape) for weight in model.weights]
    optimizer.apply(zeros, model.trainable_weights)
    expected = [1 - 0.25 * 0.05, 1, 1 - 0.05, 1]
    for value, number in zip(values(model.weights), expected, strict=True):
        np.testing.assert_allclose(value, number, rtol=1e-6)


def test_what_is_excluded_before_stays_so():
    plain = keras.optimizers.AdamW(0.1, weight_decay=0.5)
    plain.exclude_from_weight_decay(var_names=["bias"])
    optimizer = fresh_optimizer(ScaledRates(plain, FACTORS))
    model = make_model(optimizer)
    for weight in model.weights:
        weight.assign(np.ones(weight.shape))
    zeros = [keras.ops.zeros(weight.shape) for weight in model.weights]
    optimizer.apply(zeros, model.trainable_weights)
    biases = [w for w in model.weights if w.name == "bias"]
    assert len(biases) == 2
    for bias in biases:
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(bias), 1)


def test_the_rate_is_read_and_set_as_a_whole():
    optimizer = ScaledRates(keras.optimizers.SGD(0.4), FACTORS)
    assert rates(optimizer) == pytest.approx([0.1, 0.4])
    optimizer.learning_rate = 0.8
    assert float(optimizer.learning_rate) == pytest.approx(0.8)
    assert rates(optimizer) == pytest.approx([0.2, 0.8])
    optimizer.learning_rate = keras.optimizers.schedules.ExponentialDecay(0.4, 1, 0.5)
    trained(make_model(optimizer), steps=2)
    assert rates(optimizer) == pytest.approx([0.025, 0.1])


def test_a_plateau_lowers_all_rates():
    optimizer = ScaledRates(keras.optimizers.SGD(0.4, name="sgd"), FACTORS)
    model = make_model(optimizer)
    settings = {"factor": 0.5, "patience": 1, "min_delta": 1e9}
    plateau = keras.callbacks.ReduceLROnPlateau("loss", **settings)
    logs = model.fit(X, Y, epochs=2, verbose=0, callbacks=[plateau]).history
    assert rates(optimizer) == pytest.approx([0.05, 0.2])
    assert {name for name in logs if "rate" in name} == {
        "learning_rate_sgd",
        "learning_rate_sgd_1",
    }


def test_a_part_without_trained_weights_counts_steps():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.4, 1, 0.5)
    optimizer = ScaledRates(keras.optimizers.SGD(schedule), FACTORS)
    model = make_model(optimizer)
    low = model.get_layer("low")
    low.trainable = False
    model.compile(optimizer, "mse", **EAGERLY)
    before = values(low.weights)
    trained(model, steps=3)
    for one, other in zip(before, values(low.weights), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [int(part.iterations) for part in optimizer.optimizers] == [3, 3]
    assert rates(optimizer) == pytest.approx([0.0125, 0.05])


def test_it_is_made_again_from_its_config():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.4, 1, 0.5)
    plain = keras.optimizers.AdamW(schedule, global_clipnorm=0.1)
    optimizer = ScaledRates(plain, {**FACTORS, "head/bias": 2.0})
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is ScaledRates
    assert again.get_config() == optimizer.get_config()
    assert rates(again) == pytest.approx([0.1, 0.8, 0.4])
    runs = [trained(make_model(each), steps=3) for each in (optimizer, again)]
    for one, other in zip(*runs, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_saved_model_goes_on_as_it_would_have(tmp_path):
    model = make_model(ScaledRates(keras.optimizers.Adam(0.1), FACTORS))
    trained(model, steps=2)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.optimizer) is ScaledRates
    old, new = (values(each.optimizer.variables) for each in (model, again))
    for one, other in zip(old, new, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(trained(model), trained(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_stopped_fit_goes_on(tmp_path):
    def fit(model, epochs):
        backup = keras.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        settings = {"shuffle": False, "verbose": 0, "callbacks": [backup]}
        model.fit(X, Y, epochs=epochs, **settings)
        return values(model.weights)

    def new():
        return make_model(ScaledRates(keras.optimizers.Adam(0.1), FACTORS))

    whole = trained(new(), steps=4)
    fit(new(), epochs=2)
    model = new()
    received = fit(model, epochs=4)
    assert int(model.optimizer.iterations) == 4
    for one, other in zip(whole, received, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.skipif(
    keras.config.backend() == "torch", reason="Keras wraps no optimizer on torch"
)
def test_a_loss_scale_optimizer_wraps_it():
    plain = keras.optimizers.SGD(0.1, global_clipnorm=0.01)
    expected = trained(make_model(ScaledRates(plain, FACTORS)), steps=2)
    wrapped = keras.optimizers.LossScaleOptimizer(ScaledRates(plain, FACTORS))
    received = trained(make_model(wrapped), steps=2)
    for one, other in zip(expected, received, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)


def built():
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(make_model("sgd").trainable_variables)
    return optimizer


@pytest.mark.parametrize(
    ("optimizer", "factors", "received"),
    [
        (built, FACTORS, "SGD with built=True"),
        (
            lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)),
            FACTORS,
            "LossScaleOptimizer with built=False",
        ),
        (
            lambda: ScaledRates(keras.optimizers.SGD(0.1), FACTORS),
            FACTORS,
            "ScaledRates with built=False",
        ),
        (
            lambda: keras.optimizers.SGD(
                0.1, global_clipnorm=1.0, gradient_accumulation_steps=2
            ),
            FACTORS,
            "gradient_accumulation_steps=2, loss_scale_factor=None, global_clipnorm=1",
        ),
        (
            lambda: keras.optimizers.SGD(
                0.1, global_clipnorm=1.0, loss_scale_factor=8.0
            ),
            FACTORS,
            "gradient_accumulation_steps=None, loss_scale_factor=8",
        ),
        (
            lambda: keras.optimizers.SGD(0.1),
            {"a": 1.0, "b": 0.0, "c": -2.0},
            "{'b': 0.0, 'c': -2.0}",
        ),
    ],
)
def test_what_does_not_fit_is_told(optimizer, factors, received):
    with pytest.raises(ValueError, match=received):
        ScaledRates(optimizer(), factors)
