"""A multiple of a learning-rate schedule."""

import keras


@keras.saving.register_keras_serializable(package="kftune")
class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule, times a factor.

    Args:
        schedule: `keras.optimizers.schedules.LearningRateSchedule`, or another function
            of a step that Keras can serialise.
        factor: float, what its rates are multiplied by.

    Example:
    ```python
    cosine = keras.optimizers.schedules.CosineDecay(1e-3, decay_steps=100)
    float(ScaledSchedule(cosine, 0.5)(0))  # 5e-4
    ```
    """

    def __init__(self, schedule, factor):
        self.schedule = schedule
        self.factor = factor

    def __call__(self, step):
        """The rate of an optimizer step, a float32 scalar."""
        return self.schedule(step) * self.factor

    def get_config(self):
        """The constructor's arguments."""
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "factor": self.factor}

    @classmethod
    def from_config(cls, config):
        """Makes the schedule from its config."""
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["factor"])
