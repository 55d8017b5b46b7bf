import keras
import numpy as np
import pytest

from kftune.training.kept_state import kept_state

pytestmark = pytest.mark.backend

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
EAGERLY = {"run_eagerly": keras.config.backend() != "jax"}


def make_model():
    """A model with every kind of state: weights, statistics, generators, metrics."""
    keras.utils.set_random_seed(3)
    layers = [
        keras.Input((3,)),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"], **EAGERLY)
    return model


def state(model):
    variables = [
        *model.variables,
        *model.optimizer.variables,
        *model.metrics_variables,
    ]
    return [np.array(keras.ops.convert_to_numpy(each)) for each in variables]


def trial(model):
    model.optimizer, model.train_function = keras.optimizers.SGD(0.5), None
    model.steps_per_execution = 1
    for _ in range(3):
        model.train_on_batch(X, Y)


def test_all_is_as_it_was():
    model = make_model()
    model.fit(X, Y, verbose=0)
    before, optimizer = state(model), model.optimizer
    function, names = model.train_function, model.metrics_names
    with kept_state(model):
        trial(model)
        changed = state(model)
    assert model.optimizer is optimizer
    assert model.train_function is function
    assert model.metrics_names == names
    assert any(not np.array_equal(a, b) for a, b in zip(before, changed, strict=False))
    for one, other in zip(before, state(model), strict=True):
        np.testing.assert_array_equal(one, other)
    # The metrics hold what the epoch left there, and not zeros.
    assert float(model.get_metrics_result()["loss"]) > 0


def test_training_goes_on_as_without_the_trial():
    models = [make_model(), make_model()]
    for model in models:
        keras.utils.set_random_seed(5)  # PyTorch's dropout has no state in the model
        model.fit(X, Y, verbose=0, shuffle=False)
    with kept_state(models[1]):
        trial(models[1])
    for model in models:
        keras.utils.set_random_seed(6)
        model.fit(X, Y, epochs=2, verbose=0, shuffle=False)
    for one, other in zip(*map(state, models), strict=True):
        np.testing.assert_array_equal(one, other)


def test_random_numbers_go_on_as_without_the_trial():
    def draw():
        dropped = keras.layers.Dropout(0.5, seed=1)(
            np.ones(9, "float32"), training=True
        )
        numbers = [dropped, keras.random.normal((3,))]
        return [*map(keras.ops.convert_to_numpy, numbers), np.random.rand(3)]

    model = make_model()
    keras.utils.set_random_seed(7)
    expected = draw()
    keras.utils.set_random_seed(7)
    with kept_state(model):
        trial(model)
    for one, other in zip(expected, draw(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_all_is_as_it_was_after_an_error():
    model = make_model()
    before, optimizer = state(model), model.optimizer
    with pytest.raises(OSError, match="gone"), kept_state(model):
        trial(model)
        raise OSError("gone")
    assert model.optimizer is optimizer
    assert not optimizer.built
    for one, other in zip(before, state(model)[: len(before)], strict=True):
        np.testing.assert_array_equal(one, other)
