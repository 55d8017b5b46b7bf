"""Refuses to train a task whose `trainable` flags changed since it was compiled."""

import keras

from kftune.error_text import first_few
from kftune.models.frozen_weights import freezing_config, restore_freezing


class TrainableGuard:
    """Mixin for tasks: notices late changes of `trainable`, saves what is frozen.

    Keras decides at `compile()` what is trained. A flag that changes later is
    ignored in silence (TensorFlow) or ends in an error about optimizer variables
    (JAX). A task with this mixin raises instead, before the first step of `fit` or
    `train_on_batch`.

    The mixin also carries frozen weights through `get_config` and `from_config`,
    and so through `save_to_preset` and `from_preset`: the entry `"freezing"`, which
    is there only after `kftune.tuning.freeze`.

    Put it first among the bases, so that it sees `compile` and `from_config` first.

    Attributes:
        freeze_policy: name of the policy that `kftune.tuning.freeze` applied last,
            `None` if there was none. For display: what is frozen is saved weight by
            weight, so a regular expression or a callable survives saving, too.

    Example:
        ```python
        class MyTask(TrainableGuard, keras_hub.models.TextClassifier):
            ...

        task = MyTask(backbone, num_classes=2)
        task.backbone.trainable = False
        task.fit(x, y)  # RuntimeError: ... call kftune.tuning.freeze or compile again
        ```
    """

    freeze_policy = None

    def compile(self, *args, **kwargs):
        """Compiles as the task does and remembers which weights are trainable."""
        super().compile(*args, **kwargs)
        record_trainable(self)

    def make_train_function(self, force=False):
        """Makes the train function, which `fit` and `train_on_batch` call first.

        Args:
            force: bool, make it again if there is one.

        Returns:
            What `keras.Model.make_train_function` returns.

        Raises:
            RuntimeError: if other weights are trainable than when compiled.
        """
        check_trainable(self)
        return super().make_train_function(force=force)

    def get_config(self):
        """Returns the task's config, with what is frozen if `freeze` was called."""
        config = super().get_config()
        if self.freeze_policy is not None:
            config["freezing"] = freezing_config(self)
        return config

    @classmethod
    def from_config(cls, config):
        """Makes the task from its config and freezes what was frozen.

        Args:
            config: dict, as `get_config` returns it.

        Returns:
            The task, uncompiled or compiled as its class does it.

        Raises:
            ValueError: if the config tells of another number of weights.
        """
        config = dict(config)
        freezing = config.pop("freezing", None)
        task = super().from_config(config)
        if freezing is not None:
            restore_freezing(task, freezing)
            record_trainable(task)
        return task


def record_trainable(model: keras.Model) -> None:
    """Remembers, on the model, which of its weights are trainable now.

    Args:
        model: built model. One that is not built yet has no weights to remember;
            it is not checked until it is compiled again.
    """
    trainable_ids = frozenset(map(id, model.trainable_weights))
    model.trainable_when_compiled = trainable_ids if model.built else None


def check_trainable(model: keras.Model) -> None:
    """Checks that the trainable weights are still those that were recorded.

    Args:
        model: model; if nothing was recorded there is nothing to check.

    Raises:
        RuntimeError: if they are not; names the weights that changed.
    """
    recorded = getattr(model, "trainable_when_compiled", None)
    if recorded is None:
        return
    now = {id(weight): weight.path for weight in model.trainable_weights}
    if recorded == now.keys():
        return
    thawed = [path for key, path in now.items() if key not in recorded]
    frozen = [
        weight.path for weight in model.non_trainable_weights if id(weight) in recorded
    ]
    raise RuntimeError(
        f"{type(model).__name__} {model.name!r} was compiled to train "
        f"{len(recorded)} weights, and now {len(now)} are trainable. "
        f"Trainable since then: {first_few(thawed, show=str)}. Frozen since "
        f"then: {first_few(frozen, show=str)}. Training would not "
        "follow these flags. Call kftune.tuning.freeze(task, policy), which compiles "
        "again, or compile the task with a new optimizer after you change `trainable`."
    )
