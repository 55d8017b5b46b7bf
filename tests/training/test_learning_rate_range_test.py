import keras
import numpy as np
import pytest

from kftune.data import LengthBucketed
from kftune.models import attach_head
from kftune.training import adamw, learning_rate_range_test, make_schedule
from kftune.tuning import ScaledRates, freeze

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(1)
X = RNG.normal(size=(24, 3)).astype("float32")
Y = (X @ [[1.0], [-2.0], [3.0]]).astype("float32")
# Compiling takes longer than the few steps.
EAGERLY = {"run_eagerly": keras.config.backend() != "jax"}


def make_model(optimizer, dropout=0.0):
    keras.utils.set_random_seed(3)
    layers = [keras.Input((3,)), keras.layers.Dropout(dropout), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(optimizer, "mse", metrics=["mae"], **EAGERLY)
    return model


def values(variables):
    return [np.array(keras.ops.convert_to_numpy(each)) for each in variables]


def state(model):
    return values(
        [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    )


def gradient_descent(model, rates, rows=8):
    """The losses of gradient descent on the mean squared error, in NumPy."""
    kernel, bias = (each.astype("float64") for each in values(model.weights))
    losses = []
    for step, rate in enumerate(rates):
        start = step * rows % len(X)
        x, y = X[start : start + rows], Y[start : start + rows]
        error = x @ kernel + bias - y
        losses.append((error**2).mean())
        kernel -= rate * 2 * x.T @ error / rows
        bias -= rate * 2 * error.mean(axis=0)
    return losses


def test_losses_are_those_of_gradient_descent():
    model = make_model("sgd")
    rates = 1e-3 * 100 ** (np.arange(20) / 19)
    expected = gradient_descent(model, rates)
    settings = {"lowest": 1e-3, "highest": 0.1, "steps": 20, "batch_size": 8}
    test = learning_rate_range_test(model, (X, Y), **settings)
    np.testing.assert_allclose(test.rates, rates, rtol=1e-12)
    np.testing.assert_allclose(test.losses, expected, rtol=1e-4)
    means = [np.mean(expected[i - 1 : i + 2]) for i in range(1, 19)]
    np.testing.assert_allclose(test.smoothed[1:-1], means, rtol=1e-4)
    assert np.isnan(test.smoothed[[0, -1]]).all()
    assert not test.diverged


def half_precision_model(scale):
    model = make_model("sgd")
    layers = [keras.Input((3,)), keras.layers.Dense(1, dtype="mixed_float16")]
    half = keras.Sequential(layers)
    half.set_weights(model.get_weights())
    sgd = keras.optimizers.SGD(0.1)
    optimizer = keras.optimizers.LossScaleOptimizer(sgd, initial_scale=scale)
    half.compile(optimizer, "mse", **EAGERLY)
    return half


def test_steps_that_loss_scaling_skips_are_left_out():
    model = half_precision_model(scale=2.0**30)
    rates = 1e-3 * 100 ** (np.arange(20) / 19)
    expected = gradient_descent(model, rates, rows=24)
    settings = {"lowest": 1e-3, "highest": 0.1, "steps": 20, "batch_size": 24}
    test = learning_rate_range_test(model, (X, Y), **settings)
    np.testing.assert_allclose(test.rates, rates, rtol=1e-12)
    # Those of float16: one step more or less differs by more.
    np.testing.assert_allclose(test.losses, expected, rtol=2e-3)
    assert not test.diverged


def test_gradients_that_overflow_at_any_scale_are_told():
    model = half_precision_model(scale=2.0**126)
    with pytest.raises(ValueError, match="with finite gradients. Received: "):
        learning_rate_range_test(model, (X, Y), steps=10)


def test_the_suggestion_is_where_the_loss_falls_fastest():
    model = make_model("sgd")
    test = learning_rate_range_test(model, (X, Y), highest=10.0, batch_size=24)
    side = 5
    lowest = int(np.nanargmin(test.smoothed))
    inner = range(side + 1, lowest)
    falls = {i: test.smoothed[i + 1] - test.smoothed[i - 1] for i in inner}
    assert test.suggestion == test.rates[min(falls, key=falls.get)]
    # The curvature of this loss limits the rates that converge.
    curvature = 2 * np.linalg.eigvalsh(np.cov(X.T, bias=True)).max()
    assert 1e-3 < test.suggestion < 2 / curvature


def test_it_ends_where_the_loss_diverges():
    model = make_model("sgd")
    test = learning_rate_range_test(model, (X, Y), highest=1e3, batch_size=24)
    assert test.diverged
    assert 10 < len(test.losses) < 100
    width = 11
    means = np.convolve(test.losses, np.full(width, 1 / width), "valid")
    above = [mean > 4 * min(means[: i + 1]) for i, mean in enumerate(means)]
    assert above[-1]
    assert not any(above[:-1])


def test_it_ends_where_the_loss_is_not_finite():
    model = make_model("sgd")
    y = Y.copy()
    y[16:] = np.nan
    test = learning_rate_range_test(model, (X, y), steps=10, batch_size=8)
    assert (len(test.losses), test.diverged) == (2, True)
    assert np.isfinite(test.losses).all()


def test_there_is_no_suggestion_if_the_loss_never_falls():
    model = make_model("sgd")
    zeros = np.zeros_like(X)
    test = learning_rate_range_test(model, (zeros, zeros[:, :1]), steps=10)
    np.testing.assert_array_equal(test.losses, 0)
    assert test.suggestion is None


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "schedule": lambda: keras.optimizers.Adam(
        make_schedule("cosine", 0.01, 20), use_ema=True
    ),
    "accumulation": lambda: keras.optimizers.SGD(
        0.01, momentum=0.9, gradient_accumulation_steps=2
    ),
    "scaled": lambda: ScaledRates(
        keras.optimizers.Adam(make_schedule("linear", 0.01, 20)), {".*bias": 0.5}
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_all_is_as_it_was(name):
    model, twin = (make_model(OPTIMIZERS[name](), dropout=0.5) for _ in range(2))
    settings = {"batch_size": 8, "verbose": 0, "shuffle": False}
    for each in (model, twin):
        keras.utils.set_random_seed(5)  # PyTorch's dropout has no state in the model
        each.fit(X, Y, **settings)
    optimizer, before = model.optimizer, state(model)
    config = optimizer.get_config()
    learning_rate_range_test(model, (X, Y), steps=10, batch_size=8)
    assert model.optimizer is optimizer
    assert optimizer.get_config() == config
    for one, other in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(one, other)
    for each in (model, twin):
        # After a fit with averages Keras cannot go on on JAX: weights share memory.
        each.set_weights(each.get_weights())
        keras.utils.set_random_seed(6)
        each.fit(X, Y, **settings)
    for one, other in zip(state(model), state(twin), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_optimizer_that_was_not_used_stays_so():
    model = make_model(keras.optimizers.Adam(0.01))
    optimizer = model.optimizer
    learning_rate_range_test(model, (X, Y), steps=10)
    assert model.optimizer is optimizer
    assert not optimizer.built
    assert int(optimizer.iterations) == 0
    assert float(optimizer.learning_rate) == pytest.approx(0.01)


def test_it_begins_at_step_0_also_in_the_middle_of_a_training():
    fresh, used = (make_model(keras.optimizers.Adam(0.01)) for _ in range(2))
    start = fresh.get_weights()
    used.fit(X, Y, epochs=3, verbose=0)
    used.set_weights(start)
    tests = [learning_rate_range_test(each, (X, Y), steps=10) for each in (fresh, used)]
    np.testing.assert_allclose(tests[0].losses, tests[1].losses, rtol=1e-6)


def test_an_error_in_the_middle_leaves_all_as_it_was():
    class Broken(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            if index == 2:
                raise OSError("gone")
            return X, Y

    model = make_model(keras.optimizers.Adam(0.01), dropout=0.5)
    model.fit(X, Y, verbose=0)
    optimizer, before = model.optimizer, state(model)
    with pytest.raises(OSError, match="gone"):
        learning_rate_range_test(model, Broken(), steps=10)
    assert model.optimizer is optimizer
    for one, other in zip(state(model), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def task(make_backbone):
    task = attach_head(make_backbone("GPT2", dropout=0.5), 3)
    task.compile(adamw(task, 0.01, total_steps=20), **EAGERLY)
    return task


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    rows = [rng.integers(1, 50, rng.integers(2, 12)).tolist() for _ in range(20)]
    return LengthBucketed(rows, rng.integers(0, 3, 20), batch_size=4)


@pytest.mark.long
def test_a_frozen_task_on_length_buckets_trains_on_as_before(task, rows):
    freeze(task, "all_but_last:1")
    flags = [weight.trainable for weight in task.weights]
    task.fit(rows, verbose=0, shuffle=False)
    position, before, optimizer = rows.state(), state(task), task.optimizer
    frozen = values(task.weights)
    test = learning_rate_range_test(task, rows, steps=10, highest=10.0)
    assert len(np.unique(test.losses)) == len(test.losses)
    assert [weight.trainable for weight in task.weights] == flags
    assert task.freeze_policy == "all_but_last:1"
    assert task.optimizer is optimizer
    assert rows.state() == position
    for one, other in zip(state(task), before, strict=True):
        np.testing.assert_array_equal(one, other)
    task.fit(rows, verbose=0, shuffle=False)
    for weight, one, other in zip(
        task.weights, frozen, values(task.weights), strict=True
    ):
        assert weight.trainable or np.array_equal(one, other)


@pytest.mark.parametrize(
    ("wrong", "received"),
    [
        ({"lowest": 0}, "lowest=0, highest=1.0"),
        ({"lowest": 1, "highest": 0.5}, "lowest=1, highest=0.5"),
        ({"steps": 9}, "steps=9"),
        ({"batch_size": 0}, "batch_size=0"),
    ],
)
def test_numbers_out_of_range_are_told(wrong, received):
    with pytest.raises(ValueError, match=received):
        learning_rate_range_test(make_model("sgd"), (X, Y), **wrong)


def test_a_model_that_is_not_ready_is_told():
    model = keras.Sequential([keras.layers.Dense(1)], name="new")
    with pytest.raises(ValueError, match="'new' with built=False, compiled=False"):
        learning_rate_range_test(model, (X, Y))


def test_an_optimizer_of_several_rates_is_told():
    sgd = keras.optimizers.SGD
    rates = keras.optimizers.OptimizerMap(sgd(0.1), {".*bias": sgd(0.2)})
    model = make_model(keras.optimizers.MultiOptimizer(rates))
    with pytest.raises(ValueError, match="one learning rate.*Received: MultiOptimizer"):
        learning_rate_range_test(model, (X, Y))


def test_a_loss_that_is_not_finite_from_the_first_is_told():
    with pytest.raises(ValueError, match="finite loss at the first step.*nan"):
        learning_rate_range_test(make_model("sgd"), (X, Y * np.nan))
