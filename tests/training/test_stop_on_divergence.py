import keras
import numpy as np
import pytest

from kftune.data import LengthBucketed
from kftune.training import DataPosition, StopOnDivergence

pytestmark = pytest.mark.backend

ROWS = [[1] * (1 + i % 7) for i in range(24)]


class Length(keras.layers.Layer):
    """The number of real tokens of each row."""

    def call(self, x):
        mask = keras.ops.cast(x["padding_mask"], "float32")
        return keras.ops.sum(mask, axis=-1, keepdims=True)


def make_model(rate=0.001, optimizer=None):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([Length(), keras.layers.Dense(1)])
    optimizer = optimizer or keras.optimizers.SGD(rate)
    model.compile(optimizer, "mse", jit_compile=False)
    return model


def fit(model, targets, factor=10.0, with_data=True, **options):
    data = LengthBucketed(ROWS, targets, batch_size=4)
    stop = StopOnDivergence(data if with_data else None, factor)
    callbacks = [DataPosition(data), stop]
    model.fit(data, shuffle=False, verbose=0, callbacks=callbacks, **options)
    return data


def test_not_a_number_is_told_with_its_step_rate_and_rows():
    targets = np.ones(24)
    targets[5] = np.nan
    data = LengthBucketed(ROWS, targets, batch_size=4)
    step = next(i for i in range(len(data)) if 5 in data.batch_rows(i))
    with pytest.raises(FloatingPointError) as told:
        fit(make_model(0.00125), targets)
    rows = [", ".join(map(str, data.batch_rows(step - n))) for n in (0, 1)]
    message = str(told.value)
    assert "finite loss. Received nan in epoch 1." in message
    assert f"made {step + 1} steps; learning rate: 0.00125." in message
    assert f"Rows of this step: {rows[0]}" in message
    assert step == 0 or f"of the step before: {rows[1]}. Try a lower" in message


def test_a_loss_far_above_its_first_is_told():
    with pytest.raises(FloatingPointError, match=r"10 times .* Received \S+ in epoch"):
        fit(make_model(rate=1.0), np.ones(24), epochs=3)
    fit(make_model(), np.ones(24), epochs=3)


def test_without_a_factor_only_not_a_number_counts():
    with pytest.raises(FloatingPointError, match="finite loss. Received (inf|nan)"):
        fit(make_model(rate=100.0), np.ones(24), factor=None, epochs=30)


def test_without_data_no_rows_are_told():
    targets = np.full(24, np.nan)
    with pytest.raises(FloatingPointError) as told:
        fit(make_model(), targets, with_data=False)
    assert "ows of" not in str(told.value)


def test_validation_losses_are_looked_at_after_an_epoch():
    bad = LengthBucketed(ROWS, np.full(24, np.inf), batch_size=4, shuffle=False)
    with pytest.raises(FloatingPointError, match="'val_loss': inf} after epoch 1"):
        fit(make_model(), np.ones(24), validation_data=bad)


def test_the_rates_of_all_wrapped_optimizers_are_told():
    inner = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.25, 100))
    model = make_model(optimizer=keras.optimizers.LossScaleOptimizer(inner))
    with pytest.raises(FloatingPointError, match=r"learning rate: 0\.2[45]\d*\."):
        fit(model, np.full(24, np.nan))


def test_the_first_loss_is_kept_for_a_run_that_goes_on():
    stop, resumed = StopOnDivergence(factor=2), StopOnDivergence(factor=2)
    for each in (stop, resumed):
        each.set_model(make_model())
        each.on_train_begin()
        each.on_epoch_begin(0)
    stop.on_train_batch_end(0, {"loss": 3.0})
    resumed.set_state(stop.get_state())
    resumed.on_train_batch_end(0, {"loss": 5.9})
    with pytest.raises(FloatingPointError, match=r"below 6, .*\(3\).* Received 6.1"):
        resumed.on_train_batch_end(1, {"loss": 6.1})


@pytest.mark.parametrize("factor", [1, -2.0])
def test_a_factor_without_sense_is_refused(factor):
    with pytest.raises(ValueError, match=f"Received: {factor}"):
        StopOnDivergence(factor=factor)


@pytest.mark.skipif(
    keras.config.backend() == "torch", reason="Keras runs one step at a time there"
)
def test_several_steps_an_execution_end_with_the_last_one():
    targets = np.ones(24)
    data = LengthBucketed(ROWS, targets, batch_size=4)
    targets[data.batch_rows(5)[0]] = np.nan
    model = make_model()
    model.compile("sgd", "mse", jit_compile=False, steps_per_execution=4)
    with pytest.raises(FloatingPointError) as told:
        fit(model, targets)
    rows = ", ".join(map(str, data.batch_rows(5)))
    assert f"Rows of this step: {rows}" in str(told.value)


def test_without_rows_no_advice_speaks_of_them():
    with pytest.raises(FloatingPointError, match=r"in place of float16\.$"):
        fit(make_model(), np.full(24, np.nan), with_data=False)
