"""A callback that refuses to train if `trainable` flags changed since `freeze`."""

import keras

from kftune.models.trainable_guard import check_trainable


class FreezeGuard(keras.callbacks.Callback):
    """Stops `fit` before its first step if other weights are trainable than frozen.

    For Keras and KerasHub models. The tasks of kftune check it by themselves.

    Example:
        ```python
        kftune.tuning.freeze(model, "backbone")
        model.fit(x, y, callbacks=[kftune.tuning.FreezeGuard()])
        ```
    """

    def on_train_begin(self, logs=None):
        """Checks the flags.

        Args:
            logs: not used.

        Raises:
            ValueError: if the model was never frozen, so that there is nothing to
                compare with.
            RuntimeError: if other weights are trainable than `freeze` left; names
                those that changed.
        """
        if getattr(self.model, "trainable_when_compiled", None) is None:
            raise ValueError(
                "Expected a model that kftune.tuning.freeze(model, policy) froze. "
                f"Received: {type(self.model).__name__} {self.model.name!r}. Call "
                "freeze first; the policy 'nothing' trains all weights."
            )
        check_trainable(self.model)
