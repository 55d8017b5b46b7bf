"""An optimizer whose learning rate is a multiple of it for some weights."""

import keras
from keras import ops

from kftune.tuning.recompile import fresh_optimizer, step_counts
from kftune.tuning.scaled_schedule import ScaledSchedule


@keras.saving.register_keras_serializable(package="kftune")
class ScaledRates(keras.optimizers.MultiOptimizer):
    """One optimizer, with another learning rate for each group of weights.

    Each group has a copy of the optimizer, at a multiple of its rate; weight decay is
    multiplied with it, as it is the share of a weight times the rate. All else is as
    with one optimizer: a global norm is that of all gradients, `learning_rate` reads
    and sets the whole rate (that of a factor of 1), and each copy counts every step,
    even while its weights are frozen. Callbacks of Keras report the rate of each copy:
    `learning_rate_adam_w_1` belongs to the first pattern, `learning_rate_adam_w` to all
    weights that match none, if no other AdamW was made before.

    `scale_learning_rates` and `layerwise_learning_rates` make one, and check that the
    patterns fit a model.

    Args:
        optimizer: `keras.optimizers.Optimizer` that is not built yet, and not one that
            wraps others. It is copied, and can be used elsewhere.
        factors: dict of regular expression to float above 0, what the rate is
            multiplied by for weights whose whole path matches. All others have 1.
        name: str.

    Raises:
        ValueError: if the optimizer is built, wraps others, or clips by a global norm
            while it accumulates gradients or scales the loss by a fixed factor; or if
            a factor is not above 0.

    Example:
    ```python
    optimizer = ScaledRates(keras.optimizers.AdamW(1e-4), {"head/.*": 10.0})
    task.compile(optimizer)
    ```
    """

    def __init__(self, optimizer, factors, name="scaled_rates"):
        _check(optimizer, factors)
        whole = _part(optimizer, 1.0, optimizer.name)
        parts = {
            pattern: _part(optimizer, factor, f"{optimizer.name}_{number}")
            for number, (pattern, factor) in enumerate(factors.items(), start=1)
        }
        super().__init__(
            keras.optimizers.OptimizerMap(whole, parts),
            loss_scale_factor=optimizer.loss_scale_factor,
            name=name,
        )
        self.factors = dict(factors)
        self.global_clipnorm = optimizer.global_clipnorm

    @property
    def learning_rate(self):
        """The whole rate: a variable, or what a schedule gives for this step."""
        return self.optimizers[-1].learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate):
        for part, factor in zip(
            self.optimizers, [*self.factors.values(), 1.0], strict=True
        ):
            part.learning_rate = _scaled(learning_rate, factor)

    def apply(self, grads, trainable_variables=None):
        """Takes a step.

        Args:
            grads: list of gradients.
            trainable_variables: list of the weights they belong to; `None` for those
                that the optimizer was built with.
        """
        super().apply(self._clipped(grads), trainable_variables)
        # Otherwise a schedule would lag where weights are unfrozen later.
        for part in self.optimizers:
            if not part.built:
                for count in step_counts(part):
                    count.assign_add(1)

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Excludes weights from decay in each copy, as `keras.Optimizer` does.

        Args:
            var_list: list of weights.
            var_names: list of str, parts of names.
        """
        for part in self.optimizers:
            part.exclude_from_weight_decay(var_list, var_names)

    def get_config(self):
        """The constructor's arguments."""
        optimizer = keras.saving.serialize_keras_object(self.optimizers[-1])
        optimizer["config"]["global_clipnorm"] = self.global_clipnorm
        return {
            "optimizer": optimizer,
            "factors": dict(self.factors),
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Makes the optimizer from its config."""
        optimizer = keras.saving.deserialize_keras_object(
            config["optimizer"], custom_objects=custom_objects
        )
        return cls(**{**config, "optimizer": optimizer})

    def _clipped(self, grads):
        """The gradients, none of them changed if their norm is small enough."""
        if not self.global_clipnorm:
            return grads
        squares = [ops.sum(ops.square(g)) for g in grads if g is not None]
        norm = ops.sqrt(ops.sum(ops.stack(squares)))
        limit = self.global_clipnorm
        scale = limit * ops.minimum(1.0 / norm, 1.0 / limit)
        return [None if g is None else g * scale for g in grads]


def _part(optimizer, factor, name):
    """A copy at a multiple of the rate, which leaves the global norm to the whole."""
    part = fresh_optimizer(optimizer, keep_steps=False)
    part.name = name
    part.global_clipnorm = None
    # A schedule is reached by no other public way.
    rate = optimizer.get_config()["learning_rate"]
    if isinstance(rate, dict):
        rate = keras.saving.deserialize_keras_object(rate)
    part.learning_rate = _scaled(rate, factor)
    return part


def _scaled(rate, factor):
    """A multiple of a number or of a schedule."""
    if factor == 1:
        return rate
    return ScaledSchedule(rate, factor) if callable(rate) else rate * factor


def _check(optimizer, factors):
    wraps = hasattr(optimizer, "inner_optimizer") or hasattr(optimizer, "optimizers")
    if wraps or optimizer.built:
        raise ValueError(
            "Expected an optimizer that wraps no other and has not been built yet. "
            f"Received: {type(optimizer).__name__} with built={optimizer.built}. Pass "
            "one that is new, and wrap the result."
        )
    steps, scale = optimizer.gradient_accumulation_steps, optimizer.loss_scale_factor
    if optimizer.global_clipnorm and (steps or scale):
        raise ValueError(
            "Expected an optimizer that clips by a global norm and neither accumulates "
            "gradients nor scales the loss. Received: gradient_accumulation_steps="
            f"{steps}, loss_scale_factor={scale}, global_clipnorm="
            f"{optimizer.global_clipnorm}. Clip with clipnorm or clipvalue instead, or "
            "wrap the result in keras.optimizers.LossScaleOptimizer."
        )
    wrong = {pattern: factor for pattern, factor in factors.items() if not factor > 0}
    if wrong:
        raise ValueError(
            f"Expected factors above 0. Received: {wrong}. To train nothing of a part, "
            "use kftune.tuning.freeze."
        )
