"""Cross-entropy with label smoothing, of integer labels."""

import keras
from keras import ops

from kftune.layers.token_crossentropy import (
    token_crossentropy,
    token_crossentropy_gradient,
)


@keras.saving.register_keras_serializable(package="kftune")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy in nats with smoothed integer labels, without a one-hot.

    Label smoothing gives a share of the probability to all classes alike (Szegedy et
    al. 2016, https://arxiv.org/abs/1512.00567). The loss is that of
    `keras.losses.CategoricalCrossentropy` with the same `label_smoothing` on one-hot
    labels, and is computed from three numbers a token: the logsumexp, the mean and the
    label's own logit. Letters: B batch, T length, V vocabulary.

    Args:
        label_smoothing: `float` from 0 to below 1, the share of all V classes.
        reduction: `str`, as `keras.losses.Loss` has it. By default the mean over what
            has a sample weight: of weights that are 0 for padding, over real tokens.
            With `"sum"` gradients that are accumulated are those of one large batch,
            whatever the number of tokens in its parts, but for a constant factor, which
            Adam does not see.
        name: `str` or `None`.

    Call arguments:
        y_true: integers `(B, T)` from 0 to V - 1, at most 2 ** 24, padding included.
        y_pred: logits, float tensor `(B, T, V)`. They are computed with in float32.
        sample_weight: `(B, T)`, 0 or False for padding; `None`: everything counts.

    Returns:
        Scalar, `float32`; with `reduction=None` a tensor `(B, T)`.

    Raises:
        ValueError: if the smoothing is not in its range, or if labels and logits do
            not go together.

    Example:
    ```python
    loss = SmoothedCrossentropy(0.1)
    loss([[2, 0]], [[[0.0, 0.0, 9.0], [0.0, 0.0, 9.0]]], [[1, 0]])  # 0.6002
    task.compile("adam", loss=loss)
    ```
    """

    def __init__(
        self, label_smoothing=0.1, reduction="mean_with_sample_weight", name=None
    ):
        # Always float32: Keras casts the labels to this dtype, too.
        super().__init__(name=name, reduction=reduction, dtype="float32")
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                "Expected label_smoothing from 0 to below 1. "
                f"Received: {label_smoothing}"
            )
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        """Computes the loss of each token, see the class."""
        # Keras makes tensors of the numbers in a list, not of the list.
        y_true, y_pred = map(ops.convert_to_tensor, (y_true, y_pred))
        if len(y_pred.shape) != len(y_true.shape) + 1:
            raise ValueError(
                "Expected integer labels of shape (B, T) for logits of shape (B, T, V)."
                f" Received: labels {tuple(y_true.shape)}, logits "
                f"{tuple(y_pred.shape)}"
            )
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        logits = ops.reshape(y_pred, (-1, y_pred.shape[-1]))
        losses = _smoothed_crossentropy(labels, logits, self.label_smoothing)
        return ops.reshape(losses, ops.shape(y_true))

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def _smoothed_crossentropy(labels, logits, smoothing):
    """Losses `(N,)` of labels `(N,)` and logits `(N, V)`, with their gradient."""

    @ops.custom_gradient
    def losses_of(logits):
        losses, probabilities = token_crossentropy(logits, labels, smoothing)

        def gradient(*inputs, upstream=None):
            # Only some backends name the gradient of the loss.
            factors = inputs[-1] if upstream is None else upstream
            return token_crossentropy_gradient(
                probabilities, labels, smoothing, factors
            )

        return losses, gradient

    return losses_of(logits)
