import keras
import numpy as np
import pytest

from kftune.training.warmup_stable_decay import WarmupStableDecay

pytestmark = pytest.mark.backend


def test_rates_lie_on_the_trapezium():
    schedule = WarmupStableDecay(0.2, total_steps=50, warmup_steps=10, decay_steps=20)
    corners = [0, 10, 30, 50, 60]
    expected = np.interp(np.arange(61), corners, [0.0, 0.2, 0.2, 0.0, 0.0])
    rates = [float(schedule(step)) for step in range(61)]
    np.testing.assert_allclose(rates, expected, atol=1e-7)


def test_without_warmup_and_decay_it_is_constant():
    schedule = WarmupStableDecay(0.2, total_steps=5)
    rates = [float(schedule(step)) for step in range(7)]
    np.testing.assert_allclose(rates, [0.2] * 7)


def test_config_comes_back():
    schedule = WarmupStableDecay(0.2, 50, 10, 20)
    config = keras.optimizers.schedules.serialize(schedule)
    again = keras.optimizers.schedules.deserialize(config)
    assert again.get_config() == schedule.get_config()


@pytest.mark.parametrize("steps", [(10, 45), (-1, 5), (5, -1)])
def test_parts_that_do_not_fit_are_refused(steps):
    with pytest.raises(ValueError, match=f"warmup_steps={steps[0]}, decay.*{steps[1]}"):
        WarmupStableDecay(0.2, 50, *steps)
