import re

import keras
import numpy as np
import pytest

from kftune.training.model_state import (
    describe,
    load_arrays,
    metric_variables,
    to_arrays,
    training_variables,
)

pytestmark = pytest.mark.backend

X = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)


def make_model(dtype="float32", optimizer=None):
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Dense(2, dtype=dtype), keras.layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    optimizer = optimizer or keras.optimizers.Adam(0.1)
    model.compile(optimizer, "mse", metrics=["mae"], jit_compile=False)
    return model


def round_trip(model, folder, variables=training_variables):
    """Writes what a model is made of, and loads it into a new one."""
    saved = variables(model)
    np.savez(folder / "saved.npz", **to_arrays(saved))
    return np.load(folder / "saved.npz"), describe(saved)


def test_weights_random_states_and_optimizer_are_there():
    model = make_model()
    names = list(training_variables(model))
    # kernel, bias, dropout's state; step count, rate, two slots of each weight.
    assert names == [
        *(f"model/{i}" for i in range(3)),
        *(f"optimizer/{i}" for i in range(6)),
    ]
    assert model.optimizer.built
    described = describe(training_variables(model))
    assert described["model/0"][1:] == [[3, 2], "float32"]


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_loaded_model_trains_on_as_the_saved_one(dtype, tmp_path):
    model, other = make_model(dtype), make_model(dtype)
    model.fit(X, X[:, :2], epochs=2, shuffle=False, verbose=0)
    load_arrays(training_variables(other), *round_trip(model, tmp_path))
    # PyTorch draws dropout from a generator of its own.
    seeded = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: keras.utils.set_random_seed(1)
    )
    for each in (model, other):
        each.fit(X, X[:, :2], shuffle=False, verbose=0, callbacks=[seeded])
    received = to_arrays(training_variables(other))
    for name, value in to_arrays(training_variables(model)).items():
        np.testing.assert_array_equal(received[name], value)


def test_wrapped_optimizers_are_saved_whole():
    inner = keras.optimizers.SGD(0.1, momentum=0.9, gradient_accumulation_steps=2)
    model = make_model(optimizer=keras.optimizers.LossScaleOptimizer(inner))
    paths = [path for path, _, _ in describe(training_variables(model)).values()]
    for part in ("dynamic_scale", "momentum", "gradient_accumulator"):
        assert any(part in path for path in paths)


def test_factors_of_lora_stay_apart(tmp_path):
    """`save_weights` merges them."""
    models = [make_model(), make_model()]
    for model in models:
        model.layers[0].enable_lora(1)
    factors = [model.layers[0].lora_kernel_b for model in models]
    factors[0].assign(np.ones((1, 2)))
    load_arrays(training_variables(models[1]), *round_trip(models[0], tmp_path))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(factors[1]), 1)


def test_means_of_an_epoch_go_on(tmp_path):
    model, other = make_model(), make_model()
    for each in (model, other):
        each.test_on_batch(X, X[:, :2])
    expected = model.get_metrics_result()
    other.reset_metrics()
    load_arrays(metric_variables(other), *round_trip(model, tmp_path, metric_variables))
    assert other.get_metrics_result() == expected
    assert expected["loss"] > 0


def test_all_variables_that_differ_are_named(tmp_path):
    arrays, described = round_trip(make_model(), tmp_path)
    other = make_model(optimizer=keras.optimizers.SGD(0.1))
    before = to_arrays(training_variables(other))
    with pytest.raises(ValueError, match="Received another: optimizer/2") as told:
        load_arrays(training_variables(other), arrays, described)
    for number in range(2, 6):
        found = re.search(
            rf"optimizer/{number}: (\[.*?\]\S*.*?) was saved", str(told.value)
        )
        assert found and "float32" in found[1]
    assert str(told.value).count("the model has nothing") == 4
    after = to_arrays(training_variables(other))
    assert all((after[name] == before[name]).all() for name in before)


def test_other_dtypes_are_refused(tmp_path):
    saved = round_trip(make_model("bfloat16"), tmp_path)
    with pytest.raises(
        ValueError, match="'bfloat16'. was saved, the model has .*float32"
    ):
        load_arrays(training_variables(make_model()), *saved)
