import keras
import numpy as np
import pytest

from kftune.training.inverse_square_root import InverseSquareRoot

pytestmark = pytest.mark.backend


def test_the_rates_are_those_of_the_paper():
    width, warmup = 512, 40
    steps = np.arange(1, 500, dtype="float64")
    paper = width**-0.5 * np.minimum(steps**-0.5, steps * warmup**-1.5)
    schedule = InverseSquareRoot((width * warmup) ** -0.5, warmup)
    rates = [float(schedule(int(step))) for step in steps]
    np.testing.assert_allclose(rates, paper, rtol=1e-5)
    assert float(schedule(0)) == 0


def test_at_the_end_the_rate_falls_to_zero():
    plain, falling = InverseSquareRoot(0.2, 4), InverseSquareRoot(0.2, 4, 20, 8)
    for step, share in ((0, 1), (12, 1), (14, 0.75), (19, 0.125), (20, 0), (30, 0)):
        expected = share * float(plain(step))
        assert float(falling(step)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("accumulated", [None, 2])
def test_an_optimizer_follows_it(accumulated):
    """It counts batches, also when gradients accumulate over several."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.layers[0].kernel.assign([[0.0]])
    schedule = InverseSquareRoot(0.5, warmup_steps=2)
    optimizer = keras.optimizers.SGD(schedule, gradient_accumulation_steps=accumulated)
    # The gradient of the mean of predictions is 1 for an input of 1.
    model.compile(optimizer, loss=lambda y, y_pred: y_pred)
    x = np.ones((4, 1), "float32")
    model.fit(x, x, batch_size=1, verbose=0)
    rates = 0.5 * np.array([0, 0.5, 1, (2 / 3) ** 0.5])
    rates = rates[1::2] if accumulated else rates
    kernel = keras.ops.convert_to_numpy(model.layers[0].kernel)
    np.testing.assert_allclose(kernel, -rates.sum(), rtol=1e-6)


def test_config_comes_back():
    schedule = InverseSquareRoot(0.2, 10, 50, 20)
    config = keras.optimizers.schedules.serialize(schedule)
    again = keras.optimizers.schedules.deserialize(config)
    assert again.get_config() == schedule.get_config()
    assert (
        float(again(40)) == float(schedule(40)) != float(InverseSquareRoot(0.2, 10)(40))
    )


@pytest.mark.parametrize(("peak", "warmup"), [(0, 10), (-1.0, 10), (0.1, 0)])
def test_other_numbers_are_refused(peak, warmup):
    with pytest.raises(ValueError, match=f"peak={peak}, warmup_steps={warmup}"):
        InverseSquareRoot(peak, warmup)


def test_the_decay_must_fit_into_the_training():
    for total, decay in ((None, 3), (5, 6)):
        with pytest.raises(
            ValueError, match=f"total_steps={total}, decay_steps={decay}"
        ):
            InverseSquareRoot(0.1, 1, total, decay)
