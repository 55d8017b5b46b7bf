"""A learning rate that rises, stays and falls."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kftune")
class WarmupStableDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, a constant rate, and a linear decay to zero at the end.

    Training can be prolonged from any step of the constant part, because the rate
    there does not depend on the number of steps that follow (Hu et al. 2024, MiniCPM,
    https://arxiv.org/abs/2404.06395).

    Args:
        peak: float, the constant rate.
        total_steps: int, optimizer steps after which the rate is zero.
        warmup_steps: int, steps of the rise from 0.
        decay_steps: int, steps of the fall.

    Raises:
        ValueError: If the parts are negative or longer than the whole.

    Example:
    ```python
    schedule = WarmupStableDecay(1e-3, total_steps=100, warmup_steps=10, decay_steps=20)
    [float(schedule(step)) for step in (0, 5, 50, 90, 100)]  # 0, 5e-4, 1e-3, 5e-4, 0
    ```
    """

    def __init__(self, peak, total_steps, warmup_steps=0, decay_steps=0):
        if min(warmup_steps, decay_steps) < 0 or (
            warmup_steps + decay_steps > total_steps
        ):
            raise ValueError(
                "Expected warmup_steps and decay_steps to be at least 0 and to fit "
                f"into total_steps={total_steps}. Received: "
                f"warmup_steps={warmup_steps}, decay_steps={decay_steps}"
            )
        self.peak = peak
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.decay_steps = decay_steps

    def __call__(self, step):
        """The rate of an optimizer step, a float32 scalar."""
        step = ops.cast(step, "float32")
        rise = step / max(self.warmup_steps, 1) if self.warmup_steps else 1.0
        fall = 1.0
        if self.decay_steps:
            fall = (self.total_steps - step) / self.decay_steps
        share = ops.minimum(ops.minimum(rise, fall), 1.0)
        return self.peak * ops.maximum(share, 0.0)

    def get_config(self):
        """The constructor's arguments."""
        return {
            "peak": self.peak,
            "total_steps": self.total_steps,
            "warmup_steps": self.warmup_steps,
            "decay_steps": self.decay_steps,
        }
