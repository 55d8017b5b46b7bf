"""Finds a learning rate by letting it rise over a short training."""

import itertools
import math
from dataclasses import dataclass

import keras
import numpy as np

from kftune.tuning.recompile import fresh_optimizer, recompile

_SMOOTHING = 0.9
_DIVERGED = 4


@dataclass(frozen=True)
class RangeTest:
    """What `learning_rate_range_test` saw.

    Attributes:
        rates: float array `(S,)`, the learning rate of each step, rising.
        losses: float array `(S,)`, the loss of each batch before its step.
        smoothed: float array `(S,)`, mean of the losses so far, weighted by 0.9 a step.
        suggestion: `float`, the rate at which the smoothed loss falls fastest over the
            logarithm of the rate, before it is lowest: a peak for a schedule.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float


def learning_rate_range_test(model, data, *, lowest=1e-7, highest=1.0, steps=100):
    """Trains some steps with a rate that rises exponentially, and takes all back.

    The range test of Smith 2017 (https://arxiv.org/abs/1506.01186), with a fresh
    optimizer of the same kind and settings. It ends early when the smoothed loss is not
    finite or 4 times its lowest value. Weights, the states of dropout's random
    generators and the optimizer are afterwards what they were; the model is compiled
    as before, and metrics are reset.

    Args:
        model: compiled and built `keras.Model`.
        data: `keras.utils.PyDataset` of batches, such as `kftune.data.LengthBucketed`,
            or another sequence or iterable of them, which begins anew when it ends.
        lowest: `float`, the first rate.
        highest: `float`, that of the last step.
        steps: `int` from 10, the most steps.

    Returns:
        `RangeTest`.

    Raises:
        ValueError: if the rates do not rise from above 0, there are too few steps, or
            the loss is not finite from the first step on.

    Example:
    ```python
    test = learning_rate_range_test(task, batches["train"], steps=50)
    kftune.evaluation.plot_range_test(test, "range_test.png")
    task.compile(kftune.training.adamw(task, test.suggestion, total_steps))
    ```
    """
    if not (0 < lowest < highest and steps >= 10):
        raise ValueError(
            "Expected 0 < lowest < highest and 10 steps or more. Received: "
            f"lowest={lowest}, highest={highest}, steps={steps}"
        )
    optimizer = model.optimizer
    values = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    rising = fresh_optimizer(optimizer, keep_steps=False)
    growth = (highest / lowest) ** (1 / (steps - 1))
    rising.learning_rate = keras.optimizers.schedules.ExponentialDecay(
        lowest, decay_steps=1, decay_rate=growth
    )
    try:
        recompile(model, rising)
        losses, smoothed = _train(model, itertools.islice(_endless(data), steps))
    finally:
        recompile(model, optimizer)
        for variable, value in zip(model.variables, values, strict=True):
            variable.assign(value)
        model.reset_metrics()
    rates = lowest * growth ** np.arange(len(losses))
    return RangeTest(rates, losses, smoothed, _steepest(rates, smoothed))


def _train(model, batches):
    """Losses and smoothed losses of steps, until they diverge."""
    losses, smoothed, mean = [], [], 0.0
    for batch in batches:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        loss = float(
            model.train_on_batch(x, y, sample_weight, return_dict=True)["loss"]
        )
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        now = mean / (1 - _SMOOTHING ** (len(losses) + 1))
        if not math.isfinite(now) or now > _DIVERGED * min([now, *smoothed]):
            break
        losses.append(loss)
        smoothed.append(now)
    if not losses:
        raise ValueError(
            "Expected a finite loss at the first step. Received: "
            f"{loss}. Check the data, or compile with another loss."
        )
    return np.array(losses), np.array(smoothed)


def _endless(data):
    if isinstance(data, keras.utils.PyDataset):
        # Its own iterator never ends, and is for one `fit`.
        yield from (data[index % len(data)] for index in itertools.count())
    while True:
        yield from data


def _steepest(rates, smoothed):
    """The rate where the loss falls fastest on its way to the lowest."""
    lowest = max(int(np.argmin(smoothed)), 2)
    slopes = np.gradient(smoothed[: lowest + 1], np.log(rates[: lowest + 1]))
    return float(rates[int(np.argmin(slopes))])
