"""Cross-entropy with label smoothing, of integer labels."""

import keras
from keras import ops


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
        largest = ops.max(y_pred, axis=-1, keepdims=True)
        # Smaller numbers are rounded less.
        logits = y_pred - ops.stop_gradient(largest)
        labels = ops.cast(y_true, "int32")[..., None]
        own = ops.take_along_axis(logits, labels, axis=-1)[..., 0]
        smoothing = self.label_smoothing
        expected = (1 - smoothing) * own + smoothing * ops.mean(logits, axis=-1)
        return ops.logsumexp(logits, axis=-1) - expected

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
