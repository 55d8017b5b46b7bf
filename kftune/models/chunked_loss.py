"""Trains language models without the logits of all tokens at once."""

import contextlib
import warnings
from dataclasses import dataclass

import keras
import tensorflow as tf
from keras import ops

from kftune.layers import SmoothedCrossentropy, chunked_crossentropy
from kftune.models.task_inputs import check_features

_REDUCTIONS = ("mean_with_sample_weight", "sum")


class ChunkedLoss:
    """Mixin for tasks whose outputs are the logits of the backbone's `logits`.

    `fit` and `evaluate` then compute the states alone, and the cross-entropy from
    these by `kftune.layers.chunked_crossentropy`, together with the accuracy: exactly
    the loss of the logits, which are never there as a whole. What is called or
    predicted gives logits as ever. Other losses than a cross-entropy of integer labels,
    other metrics than `keras.metrics.SparseCategoricalAccuracy`, and `loss_weights` get
    logits, with a warning when the task is compiled.

    Letters: B batch, T length, D hidden.

    Attributes:
        output_loss: `OutputLoss`, or `None` if the loss is computed from logits.
    """

    output_loss = None
    _gives_states = False

    def compile(
        self,
        optimizer="auto",
        loss="auto",
        *,
        metrics=None,
        weighted_metrics="auto",
        **kwargs,
    ):
        """Compiles the task, and chooses how its loss is computed."""
        if loss == "auto":
            loss = keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            )
        if weighted_metrics == "auto":
            weighted_metrics = [keras.metrics.SparseCategoricalAccuracy()]
        super().compile(
            optimizer=optimizer,
            loss=loss,
            metrics=metrics,
            # Keras takes None for the metrics of the compilation before.
            weighted_metrics=weighted_metrics or [],
            **kwargs,
        )
        self.output_loss = _output_loss(loss, metrics, weighted_metrics)
        if kwargs.get("loss_weights") is not None:
            self.output_loss = None
        if self.output_loss is None and loss is not None:
            warnings.warn(
                "Training and evaluation compute the logits of all tokens at once, "
                "because the loss or a metric needs them: "
                f"loss={loss!r}, metrics={metrics}, weighted_metrics={weighted_metrics}"
                f", loss_weights={kwargs.get('loss_weights')}. With the default loss "
                "or kftune.layers.SmoothedCrossentropy, no loss_weights, and no metric "
                "but SparseCategoricalAccuracy in weighted_metrics, they take less "
                "memory and time.",
                stacklevel=3,
            )

    def hidden_states(self, inputs, training=None):
        """Computes what `logits` of the backbone takes.

        Args:
            inputs: dict of token ids and masks.
            training: `bool`, whether dropout acts.

        Returns:
            Float tensor `(B, T, D)`.
        """
        return self.backbone(inputs, training=training)

    def call(self, inputs, training=None, mask=None):
        """Runs the model; within a step of training or evaluation up to the states."""
        if self._gives_states:
            check_features(inputs, self.feature_names)
            return self.hidden_states(inputs, training)
        return super().call(inputs, training=training, mask=mask)

    def train_step(self, *args):
        """Trains on a batch, see `keras.Model`."""
        with self._chunks():
            return super().train_step(*args)

    def test_step(self, *args):
        """Evaluates a batch, see `keras.Model`."""
        with self._chunks():
            return super().test_step(*args)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Computes the loss, see `keras.Model`; of states within a step."""
        if not self._gives_states:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        loss = self.output_loss(
            y, y_pred, sample_weight, self.backbone.token_embedding, training=training
        )
        return sum((ops.sum(other) for other in self.losses), loss)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Collects the metrics, see `keras.Model`; within a step they are known."""
        if self._gives_states:
            # Keras makes its metrics ready when it sees outputs: these weigh nothing.
            y_pred = ops.stack([ops.zeros_like(y, "float32")] * 2, axis=-1)
            sample_weight = ops.zeros_like(y, "float32")
        return super().compute_metrics(x, y, y_pred, sample_weight)

    @contextlib.contextmanager
    def _chunks(self):
        embedding = self.backbone.token_embedding
        quantized = embedding.quantization_mode is not None
        self._gives_states = self.output_loss is not None and not quantized
        try:
            yield
        finally:
            self._gives_states = False


@dataclass
class OutputLoss:
    """The mean or sum of the cross-entropy of tokens, from their states.

    Attributes:
        label_smoothing: `float` in `[0, 1)`.
        reduction: `str`, `"mean_with_sample_weight"` or `"sum"`.
        accuracy: `keras.metrics.SparseCategoricalAccuracy` that is told how many tokens
            are right, or `None`.
    """

    label_smoothing: float
    reduction: str
    accuracy: keras.metrics.Metric | None

    def __call__(self, labels, states, sample_weight, embedding, *, training):
        """Computes the loss of a batch and tells the accuracy.

        Args:
            labels: integer tensor `(B, T)`.
            states: float tensor `(B, T, D)`.
            sample_weight: tensor `(B, T)`, 0 for padding, or `None`.
            embedding: built `keras.layers.ReversibleEmbedding`, the output layer.
            training: `bool`. False: no gradient will be asked for.

        Returns:
            float32 scalar.
        """
        table, bias = _output_table(embedding)
        weights = ops.ones(ops.shape(labels), "float32")
        if sample_weight is not None:
            weights = weights * ops.cast(sample_weight, "float32")
        sums = chunked_crossentropy(
            ops.reshape(states, (-1, states.shape[-1])),
            table,
            ops.reshape(labels, (-1,)),
            ops.reshape(weights, (-1,)),
            bias=bias,
            label_smoothing=self.label_smoothing,
            with_gradient=training,
            trains_table=bool(embedding.trainable_weights),
        )
        total = ops.sum(weights)
        if self.accuracy is not None:
            right = ops.divide_no_nan(ops.stop_gradient(sums)[1], total)
            # As its own update does when it has compared labels and logits.
            keras.metrics.Mean.update_state(self.accuracy, right, sample_weight=total)
        if self.reduction == "sum":
            return sums[0]
        return ops.divide_no_nan(sums[0], total)


def _output_loss(loss, metrics, weighted_metrics):
    """`OutputLoss` that does what Keras would do with logits, or `None`."""
    if keras.backend.backend() == "tensorflow" and _replicas() > 1:
        return None  # Keras divides its own losses among replicas
    # A subclass may compute anything.
    known = SmoothedCrossentropy, keras.losses.SparseCategoricalCrossentropy
    if metrics or type(loss) not in known or loss.reduction not in _REDUCTIONS:
        return None
    config = loss.get_config()
    if not config.get("from_logits", True) or config.get("ignore_class") is not None:
        return None
    accuracies = [
        metric
        for metric in weighted_metrics or []
        if type(metric) is keras.metrics.SparseCategoricalAccuracy
    ]
    if len(accuracies) < len(weighted_metrics or []) or len(accuracies) > 1:
        return None
    smoothing = config.get("label_smoothing", 0.0)
    return OutputLoss(smoothing, loss.reduction, next(iter(accuracies), None))


def _replicas():
    return tf.distribute.get_strategy().num_replicas_in_sync


def _output_table(embedding):
    """The kernel `(V, D)` of logits, as they are computed with, and their bias."""
    if embedding.tie_weights:
        table = embedding.embeddings
    else:
        table = ops.transpose(embedding.reverse_embeddings)
    bias = getattr(embedding, "logits_bias", None)
    return ops.cast(table, embedding.compute_dtype), bias
