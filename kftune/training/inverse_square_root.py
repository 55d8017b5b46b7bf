"""A learning rate that rises and then falls as the root of the steps grows."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kftune")
class InverseSquareRoot(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to a peak, then a fall with the inverse square root of the step.

    The schedule of the Transformer (Vaswani et al. 2017, section 5.3,
    https://arxiv.org/abs/1706.03762), with the peak told instead of the width: theirs
    is `hidden_dim**-0.5 * warmup_steps**-0.5`. Until the decay at the end, if there is
    one, it does not depend on the number of steps, so a training can go on.

    Args:
        peak: float above 0, the rate at step `warmup_steps`.
        warmup_steps: int from 1, steps of the rise from 0. Keras counts batches, also
            where an optimizer accumulates the gradients of several.
        total_steps: int, steps of the training, after which the rate is 0; `None`: it
            never ends.
        decay_steps: int, the last of them, in which the rate is also multiplied by
            what falls linearly from 1 to 0.

    Raises:
        ValueError: If an argument is not in its range.

    Example:
    ```python
    schedule = InverseSquareRoot(1e-3, warmup_steps=100)
    [float(schedule(step)) for step in (0, 50, 100, 400)]  # 0, 5e-4, 1e-3, 5e-4
    task.compile(keras.optimizers.Adam(schedule, beta_2=0.98))
    ```
    """

    def __init__(self, peak, warmup_steps, total_steps=None, decay_steps=0):
        most = 0 if total_steps is None else total_steps
        if not (peak > 0 and warmup_steps >= 1 and 0 <= decay_steps <= most):
            raise ValueError(
                "Expected a peak above 0, at least 1 of warmup_steps, and decay_steps "
                "from 0 to total_steps. Received: "
                f"peak={peak}, warmup_steps={warmup_steps}, "
                f"total_steps={total_steps}, decay_steps={decay_steps}"
            )
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps
        self.decay_steps = decay_steps

    def __call__(self, step):
        """The rate of an optimizer step, a float32 scalar."""
        step = ops.cast(step, "float32")
        share = step / self.warmup_steps
        rate = self.peak * ops.minimum(share, ops.rsqrt(ops.maximum(share, 1.0)))
        if self.total_steps is None:
            return rate
        left = (self.total_steps - step) / max(self.decay_steps, 1)
        return rate * ops.clip(left, 0.0, 1.0)

    def get_config(self):
        """The constructor's arguments."""
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
            "decay_steps": self.decay_steps,
        }
