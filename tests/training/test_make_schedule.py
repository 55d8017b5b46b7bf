import keras
import numpy as np
import pytest

from kftune.training import InverseSquareRoot, make_schedule

pytestmark = pytest.mark.backend

PEAK, TOTAL = 0.2, 50
STEPS = np.arange(TOTAL + 11, dtype="float64")

AFTER_WARMUP = {
    "constant": lambda s, w: np.full_like(s, PEAK),
    "linear": lambda s, w: PEAK * np.maximum(TOTAL - s, 0) / (TOTAL - w),
    "cosine": lambda s, w: (
        PEAK * (1 + np.cos(np.pi * np.minimum((s - w) / (TOTAL - w), 1))) / 2
    ),
    "inverse_square_root": lambda s, w: PEAK * np.sqrt(max(w, 1) / np.maximum(s, 1)),
}


def rates(schedule):
    return [float(schedule(step)) for step in range(len(STEPS))]


def formula(name, warmup):
    if name == "inverse_square_root":
        warmup = max(warmup, 1)
    rise = PEAK * STEPS / max(warmup, 1)
    return np.where(warmup > STEPS, rise, AFTER_WARMUP[name](STEPS, warmup))


@pytest.mark.parametrize("warmup", [0, 1, 10])
@pytest.mark.parametrize("name", AFTER_WARMUP)
def test_rates_are_those_of_the_formula(name, warmup):
    schedule = make_schedule(name, PEAK, TOTAL, warmup_steps=warmup)
    assert isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule)
    np.testing.assert_allclose(rates(schedule), formula(name, warmup), atol=1e-7)


@pytest.mark.parametrize("name", AFTER_WARMUP)
def test_a_share_is_so_many_steps(name):
    by_share = make_schedule(name, PEAK, TOTAL, warmup_share=0.2)
    by_steps = make_schedule(name, PEAK, TOTAL, warmup_steps=10)
    assert by_share.get_config() == by_steps.get_config()
    by_default = make_schedule(name, PEAK, TOTAL)
    tenth = make_schedule(name, PEAK, TOTAL, warmup_steps=5)
    assert by_default.get_config() == tenth.get_config()


@pytest.mark.parametrize("name", AFTER_WARMUP)
def test_all_steps_may_be_warmup(name):
    schedule = make_schedule(name, PEAK, TOTAL, warmup_share=1.0)
    expected = PEAK * STEPS[: TOTAL + 1] / TOTAL
    # Where the rise ends, the linear fall has come to 0 already.
    last = TOTAL if name == "linear" else TOTAL + 1
    np.testing.assert_allclose(rates(schedule)[:last], expected[:last], atol=1e-7)


@pytest.mark.parametrize("name", AFTER_WARMUP)
def test_an_optimizer_with_one_is_made_again_from_its_config(name):
    optimizer = keras.optimizers.SGD(make_schedule(name, PEAK, TOTAL))
    again = keras.optimizers.SGD.from_config(optimizer.get_config())
    for each in (optimizer, again):
        each.iterations.assign(3)
    assert float(again.learning_rate) == float(optimizer.learning_rate)
    assert float(again.learning_rate) == pytest.approx(PEAK * 3 / 5)


def test_schedules_of_keras_are_used_where_they_fit():
    schedules = keras.optimizers.schedules
    assert type(make_schedule("cosine", 1.0, 9)) is schedules.CosineDecay
    assert type(make_schedule("constant", 1.0, 9)) is schedules.PolynomialDecay
    assert type(make_schedule("inverse_square_root", 1.0, 9)) is InverseSquareRoot


@pytest.mark.parametrize(
    ("arguments", "expected", "received"),
    [
        ({"name": "step"}, "a name of", "name='step'"),
        ({"peak": 0}, "a peak above 0", "peak=0,"),
        ({"total_steps": 0}, "total_steps of 1 or more", "total_steps=0"),
        ({"warmup_share": 1.5}, "a warmup_share from 0 to 1", "warmup_share=1.5"),
        ({"warmup_steps": -1}, "warmup_steps from 0 to", "warmup_steps=-1"),
        ({"warmup_steps": 10}, "warmup_steps from 0 to", "warmup_steps=10"),
        (
            {"warmup_steps": 1, "warmup_share": 0.5},
            "one of warmup_share and warmup_steps",
            "warmup_share=0.5, warmup_steps=1",
        ),
    ],
)
def test_what_does_not_fit_is_told(arguments, expected, received):
    fitting = {"name": "linear", "peak": 0.1, "total_steps": 9}
    with pytest.raises(ValueError, match=f"{expected}.*Received.*{received}"):
        make_schedule(**{**fitting, **arguments})


def test_all_that_does_not_fit_is_told_at_once():
    with pytest.raises(ValueError, match="a name of.*; a peak above 0; total_steps"):
        make_schedule("step", -1.0, 0)


def test_keras_lowers_a_float_at_a_plateau_and_refuses_a_schedule():
    """What docs/learning_rates.md says of ReduceLROnPlateau."""
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
    x = np.zeros((4, 1))
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    model.fit(x, x, epochs=3, verbose=0, callbacks=[plateau])
    assert float(model.optimizer.learning_rate) < 0.1
    rate = make_schedule("constant", 0.1, 9)
    model.compile(keras.optimizers.SGD(rate), "mse", run_eagerly=True)
    with pytest.raises(TypeError, match="not settable"):
        model.fit(x, x, epochs=3, verbose=0, callbacks=[plateau])
