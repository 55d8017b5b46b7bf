"""Learning-rate schedules by name."""

import keras

from kftune.training.inverse_square_root import InverseSquareRoot
from kftune.training.warmup_stable_decay import WarmupStableDecay

SCHEDULES = ("constant", "linear", "cosine", "inverse_square_root")


def make_schedule(name, peak, total_steps, warmup=0.1):
    """Makes a learning rate that rises linearly to its peak and then follows its name.

    `keras.callbacks.ReduceLROnPlateau` sets a rate by itself and so needs a number in
    place of a schedule.

    Args:
        name: `"constant"`; `"linear"`, to 0 at the last step; `"cosine"`, to 0 along
            half a cosine (Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983);
            or `"inverse_square_root"`, see `InverseSquareRoot`.
        peak: `float` above 0, the highest rate.
        total_steps: `int` from 1, optimizer steps of the training.
        warmup: `int`, steps of the rise, or `float` from 0 to 1, the share of
            `total_steps` that it takes.

    Returns:
        `keras.optimizers.schedules.LearningRateSchedule`.

    Raises:
        ValueError: if the name is unknown or a number not in its range.

    Example:
    ```python
    rate = make_schedule("cosine", 5e-4, total_steps=100, warmup=10)
    [float(rate(step)) for step in (0, 5, 10, 55, 100)]  # 0, 2.5e-4, 5e-4, 2.5e-4, 0
    ```
    """
    steps = round(warmup * total_steps) if isinstance(warmup, float) else warmup
    _check(name, peak, total_steps, warmup, steps)
    if name == "inverse_square_root":
        return InverseSquareRoot(peak, max(steps, 1))
    if name == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            0.0 if steps else peak,
            max(total_steps - steps, 1),
            warmup_target=peak if steps else None,
            warmup_steps=steps,
        )
    decay_steps = total_steps - steps if name == "linear" else 0
    return WarmupStableDecay(peak, total_steps, steps, decay_steps)


def _check(name, peak, total_steps, warmup, steps):
    expected = {
        f"a name of {list(SCHEDULES)}": name in SCHEDULES,
        "a peak above 0": peak > 0,
        "total_steps of 1 or more": total_steps >= 1,
        "a warmup from 0 to total_steps, or a share from 0 to 1": (
            0 <= steps <= total_steps
        ),
    }
    if wrong := [text for text, holds in expected.items() if not holds]:
        raise ValueError(
            f"Expected {'; '.join(wrong)}. Received: name={name!r}, peak={peak}, "
            f"total_steps={total_steps}, warmup={warmup}"
        )
