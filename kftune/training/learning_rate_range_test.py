"""Finds a learning rate by letting it rise over a short training."""

import dataclasses
import itertools
import math

import keras
import numpy as np

from kftune.training.kept_state import kept_state
from kftune.training.trial_batches import trial_batches
from kftune.tuning.recompile import fresh_optimizer, step_counts

_DIVERGED = 4
_MOST_SKIPPED = 64  # each halves the scale of the loss


@dataclasses.dataclass(frozen=True)
class RangeTest:
    """What `learning_rate_range_test` saw; S steps were taken.

    Attributes:
        rates: float64 array `(S,)`, the learning rate of each step, rising.
        losses: float64 array `(S,)`, the loss of each batch before its step.
        smoothed: float64 array `(S,)`, the mean of a step's loss and those of as many
            steps before it as after it, about a tenth of the test together; NaN at
            both ends, where they are not that many.
        suggestion: float, the rate at which `smoothed` falls fastest over the
            logarithm of the rate, on its way down to its lowest value: a peak for a
            schedule. `None` if it does not fall.
        diverged: bool, whether the test ended before its last step.

    Example:
    ```python
    test = learning_rate_range_test(task, batches)
    test.suggestion, test.losses[0]
    ```
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float | None
    diverged: bool


def learning_rate_range_test(
    task, data, *, lowest=1e-7, highest=1.0, steps=100, batch_size=32
):
    """Trains some steps at a rate that rises exponentially, and takes them back.

    The range test of Smith 2017 (https://arxiv.org/abs/1506.01186), with a new
    optimizer of the settings that the task is compiled with. It ends early if a loss is
    not finite, or if the mean of the last tenth of the steps is above 4 times the
    lowest such mean. Steps that `keras.optimizers.LossScaleOptimizer` skips, because
    gradients overflow (`mixed_float16`), are left out; after 64 of them it ends, too.

    Afterwards all is as it was, also after an error: weights, the states of dropout's
    random generators and of metrics, the optimizer with its slots, steps and schedule,
    and the position of the data. The task stays compiled. Meanwhile a copy of all
    weights is held in memory.

    Args:
        task: compiled and built `keras.Model`, frozen as it will be in training.
        data: `kftune.data.LengthBucketed` or another `keras.utils.PyDataset`, whose
            present epoch is gone through; or a tuple `(x, y)` or
            `(x, y, sample_weight)` as `fit` takes them, in the order they have:
            shuffle them first if they are sorted.
        lowest: float above 0, the rate of the first step.
        highest: float above `lowest`, that of the last step.
        steps: int from 10, the most steps.
        batch_size: int from 1, rows a batch if `data` is a tuple.

    Returns:
        `RangeTest`; `kftune.evaluation.plot_range_test` draws it.

    Raises:
        TypeError: if the data is of another kind.
        ValueError: if the task is not compiled and built, if its optimizer has several
            learning rates or cannot be made again from its config, if a number is not
            in its range, or if the very first loss is not finite.

    Example:
    ```python
    test = kftune.training.learning_rate_range_test(task, batches["train"])
    kftune.evaluation.plot_range_test(test, "range_test.png")
    task.compile(kftune.training.adamw(task, test.suggestion, total_steps))
    ```
    """
    _check_numbers(lowest, highest, steps, batch_size)
    rising = _rising_optimizer(task, lowest, highest / lowest, steps)
    width = 2 * (steps // 20) + 1
    batches = trial_batches(task, data, batch_size)
    with kept_state(task):
        task.optimizer, task.train_function = rising, None
        task.steps_per_execution = 1
        losses, diverged = _losses(task, batches, steps, width)
    rates = lowest * (highest / lowest) ** (np.arange(len(losses)) / (steps - 1))
    smoothed = _smoothed(losses, width)
    return RangeTest(rates, losses, smoothed, _steepest(rates, smoothed), diverged)


def _check_numbers(lowest, highest, steps, batch_size):
    in_range = 0 < lowest < highest < math.inf and steps >= 10 and batch_size >= 1
    if not in_range:
        raise ValueError(
            "Expected 0 < lowest < highest, 10 steps or more and a batch_size of 1 or "
            f"more. Received: lowest={lowest}, highest={highest}, steps={steps}, "
            f"batch_size={batch_size}"
        )


def _rising_optimizer(task, lowest, growth, steps):
    """A new optimizer like the task's, whose rate grows `growth` times."""
    compiled = task.compiled and task.optimizer is not None
    if not (compiled and task.built):
        raise ValueError(
            "Expected a task that is built and compiled with an optimizer. Received: "
            f"{type(task).__name__} {task.name!r} with built={task.built}, "
            f"compiled={task.compiled}"
        )
    optimizer = fresh_optimizer(task.optimizer, keep_steps=False)
    try:
        # It "decays" at a rate above 1.
        optimizer.learning_rate = keras.optimizers.schedules.ExponentialDecay(
            lowest, decay_steps=steps - 1, decay_rate=growth
        )
    except AttributeError as error:
        raise ValueError(
            "Expected an optimizer with one learning rate; kftune.tuning.ScaledRates "
            f"counts as one. Received: {type(optimizer).__name__}"
        ) from error
    return optimizer


def _losses(task, batches, steps, width):
    """The loss of each step that was taken, and whether they diverged."""
    losses, mean, lowest, loss, diverged = [], math.inf, math.inf, None, False
    taken = _steps_taken(task)
    for x, y, sample_weight in itertools.islice(batches, steps + _MOST_SKIPPED):
        # The method of Keras itself: what comes here is tokenised.
        logs = keras.Model.train_on_batch(task, x, y, sample_weight, return_dict=True)
        loss, before, taken = float(logs["loss"]), taken, _steps_taken(task)
        if math.isfinite(loss) and taken == before:
            continue  # skipped: the rate did not rise
        if math.isfinite(loss):
            losses.append(loss)
        if len(losses) >= width:
            mean = np.mean(losses[-width:])
            lowest = min(lowest, mean)
        diverged = not (math.isfinite(loss) and mean <= _DIVERGED * lowest)
        if diverged or len(losses) == steps:
            break
    if not losses:
        raise ValueError(
            "Expected a finite loss at the first step, with finite gradients. "
            f"Received: {loss}. Check the data and the loss that the task is compiled "
            "with."
        )
    return np.array(losses), diverged or len(losses) < steps


def _steps_taken(task):
    """A number that rises with each step but those that loss scaling skips."""
    return sum(int(count) for count in step_counts(task.optimizer))


def _smoothed(losses, width):
    """Means of `width` losses, each in the place of the one in the middle."""
    smoothed = np.full(len(losses), np.nan)
    if len(losses) >= width:
        side = width // 2
        means = np.convolve(losses, np.full(width, 1 / width), "valid")
        smoothed[side : len(losses) - side] = means
    return smoothed


def _steepest(rates, smoothed):
    """The rate where the loss falls fastest on its way to the lowest."""
    known = np.isfinite(smoothed)
    rates, smoothed = rates[known], smoothed[known]
    falling = 1 + (int(np.argmin(smoothed)) if len(smoothed) else 0)
    if falling < 2:
        return None
    slopes = np.gradient(smoothed[:falling], np.log(rates[:falling]))
    return float(rates[int(np.argmin(slopes))])
