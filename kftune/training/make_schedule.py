"""Learning-rate schedules by name."""

import keras

from kftune.training.inverse_square_root import InverseSquareRoot
from kftune.training.warmup_stable_decay import WarmupStableDecay

_DEFAULT_SHARE = 0.1


def make_schedule(name, peak, total_steps, *, warmup_share=None, warmup_steps=None):
    """Makes a learning rate that rises from 0 to a peak and then goes as it is named.

    With step s, peak p, T total and W warm-up steps, the rate is p s / W up to step W
    and from there on

    - `"constant"`: p;
    - `"linear"`: p (T - s) / (T - W), and 0 from step T on;
    - `"cosine"`: p (1 + cos(π (s - W) / (T - W))) / 2, and 0 from step T on
      (Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983);
    - `"inverse_square_root"`: p √(W / s), with a W of at least 1, see
      `InverseSquareRoot`.

    `keras.callbacks.ReduceLROnPlateau` cannot lower the rate of a schedule: give the
    optimizer a float to use it.

    Args:
        name: str, one of the names above.
        peak: float above 0, the highest rate.
        total_steps: int from 1, optimizer steps of the training.
        warmup_share: float from 0 to 1, share of `total_steps` in which the rate
            rises; a tenth if `warmup_steps` is not given either.
        warmup_steps: int from 0 to `total_steps`, in place of `warmup_share`.

    Returns:
        `keras.optimizers.schedules.LearningRateSchedule`.

    Raises:
        ValueError: if the name is unknown, a number not in its range, or if both
            `warmup_share` and `warmup_steps` are given.

    Example:
    ```python
    rate = make_schedule("cosine", 5e-4, total_steps=100, warmup_steps=10)
    [float(rate(step)) for step in (0, 5, 10, 55, 100)]  # 0, 2.5e-4, 5e-4, 2.5e-4, 0
    task.compile(keras.optimizers.AdamW(rate))
    ```
    """
    _check(name, peak, total_steps, warmup_share, warmup_steps)
    if warmup_steps is None:
        share = _DEFAULT_SHARE if warmup_share is None else warmup_share
        warmup_steps = round(share * total_steps)
    return _MAKERS[name](peak, total_steps, warmup_steps)


def _constant(peak, total_steps, warmup_steps):
    # A polynomial of degree 1 that ends at the peak, and stays there.
    return keras.optimizers.schedules.PolynomialDecay(
        0.0 if warmup_steps else peak, max(warmup_steps, 1), end_learning_rate=peak
    )


def _linear(peak, total_steps, warmup_steps):
    return WarmupStableDecay(
        peak, total_steps, warmup_steps, total_steps - warmup_steps
    )


def _cosine(peak, total_steps, warmup_steps):
    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup_steps else peak,
        max(total_steps - warmup_steps, 1),
        warmup_target=peak if warmup_steps else None,
        warmup_steps=warmup_steps,
    )


def _inverse_square_root(peak, total_steps, warmup_steps):
    return InverseSquareRoot(peak, max(warmup_steps, 1))


_MAKERS = {
    "constant": _constant,
    "linear": _linear,
    "cosine": _cosine,
    "inverse_square_root": _inverse_square_root,
}


def _check(name, peak, total_steps, share, steps):
    expected = {
        f"a name of {list(_MAKERS)}": name in _MAKERS,
        "a peak above 0": peak > 0,
        "total_steps of 1 or more": total_steps >= 1,
        "one of warmup_share and warmup_steps": share is None or steps is None,
        "a warmup_share from 0 to 1": share is None or 0 <= share <= 1,
        "warmup_steps from 0 to total_steps": (
            steps is None or 0 <= steps <= total_steps
        ),
    }
    if wrong := [text for text, holds in expected.items() if not holds]:
        raise ValueError(
            f"Expected {'; '.join(wrong)}. Received: name={name!r}, peak={peak}, "
            f"total_steps={total_steps}, warmup_share={share}, warmup_steps={steps}"
        )
