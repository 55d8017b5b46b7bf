import keras
import numpy as np
import pytest

from kftune.tuning.scaled_schedule import ScaledSchedule

pytestmark = pytest.mark.backend


def test_it_is_the_other_schedule_times_the_factor():
    cosine = keras.optimizers.schedules.CosineDecay(0.4, decay_steps=20)
    rates = [float(ScaledSchedule(cosine, 0.25)(step)) for step in range(25)]
    steps = np.minimum(np.arange(25), 20)
    np.testing.assert_allclose(
        rates, 0.1 * (1 + np.cos(np.pi * steps / 20)) / 2, atol=1e-8
    )


def test_config_comes_back():
    cosine = keras.optimizers.schedules.CosineDecay(0.4, decay_steps=20)
    config = keras.optimizers.schedules.serialize(ScaledSchedule(cosine, 0.25))
    again = keras.optimizers.schedules.deserialize(config)
    assert (type(again), again.factor) == (ScaledSchedule, 0.25)
    assert again.schedule.get_config() == cosine.get_config()
