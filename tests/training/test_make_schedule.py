import keras
import numpy as np
import pytest

from kftune.training import make_schedule

PEAK, TOTAL, WARMUP = 0.4, 50, 10
STEPS = np.arange(TOTAL + 1)
RISE = PEAK * STEPS / WARMUP
LEFT = (TOTAL - STEPS) / (TOTAL - WARMUP)
FALLS = {
    "constant": np.full(TOTAL + 1, PEAK),
    "linear": PEAK * LEFT,
    "cosine": PEAK * (1 - np.cos(np.pi * LEFT)) / 2,
    "inverse_square_root": PEAK * np.sqrt(WARMUP / np.maximum(STEPS, 1)),
}


@pytest.mark.parametrize("name", FALLS)
@pytest.mark.parametrize("warmup", [WARMUP, WARMUP / TOTAL])
def test_rates_are_those_of_the_formula(name, warmup):
    schedule = make_schedule(name, PEAK, TOTAL, warmup)
    rates = [float(schedule(int(step))) for step in STEPS]
    expected = np.where(STEPS < WARMUP, RISE, FALLS[name])
    np.testing.assert_allclose(rates, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["constant", "linear", "cosine"])
def test_without_warmup_the_peak_comes_first(name):
    assert float(make_schedule(name, PEAK, TOTAL, 0)(0)) == pytest.approx(PEAK)


def test_a_share_of_one_is_all_steps_and_the_number_one_a_step():
    assert float(make_schedule("constant", PEAK, TOTAL, 1.0)(25)) == pytest.approx(
        PEAK / 2
    )
    assert float(make_schedule("constant", PEAK, TOTAL, 1)(1)) == pytest.approx(PEAK)


def test_a_saved_schedule_comes_back():
    for name in FALLS:
        schedule = make_schedule(name, PEAK, TOTAL)
        config = keras.optimizers.schedules.serialize(schedule)
        again = keras.optimizers.schedules.deserialize(config)
        assert float(again(7)) == float(schedule(7))


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(ValueError, match="name of") as error:
        make_schedule("stairs", -1, 0, 3)
    for text in ("'stairs'", "peak above 0", "total_steps of 1", "warmup=3"):
        assert text in str(error.value)
    with pytest.raises(ValueError, match=r"share from 0 to 1\. Received:.*warmup=1\.5"):
        make_schedule("linear", PEAK, TOTAL, 1.5)
