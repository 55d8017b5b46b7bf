"""The Dense head: from one vector a text to classes, labels or numbers."""

import operator

import keras

PROBLEM_TYPES = (
    "single_label_classification",
    "multi_label_classification",
    "regression",
)


@keras.saving.register_keras_serializable(package="kftune")
class DenseHead(keras.layers.Layer):
    """Dense layers on pooled states that know their loss and metrics.

    Dropout, an optional hidden layer, dropout again, then the output layer. Outputs
    are float32 under every dtype policy of the backbone. Letters: B batch, D hidden,
    C outputs.

    Args:
        num_classes: `int`. C: classes, labels, or numbers to predict.
        problem_type: `str`. `"single_label_classification"` (one of C classes),
            `"multi_label_classification"` (each of C labels yes or no) or
            `"regression"`.
        hidden_dim: `int` or `None`. Width of the hidden layer; `None` for none.
        hidden_activation: `str` or callable. Activation of the hidden layer.
        dropout: `float` in `[0, 1)`. Share of the inputs of each Dense layer that is
            dropped in training.
        activation: `str`, callable or `None`. Activation of the outputs. `None` gives
            logits; `"softmax"` and `"sigmoid"` give probabilities in `[0, 1]`.
        use_bias: `bool`. Whether the output layer has a bias.
        label_names: list of C distinct `str`, or `None`.
        **kwargs: Passed to `keras.layers.Layer`.

    Call arguments:
        inputs: float tensor of shape `(B, D)`.

    Returns:
        `float32` tensor of shape `(B, C)`.

    Raises:
        ValueError: naming every argument that does not fit.

    Example:
    ```python
    head = DenseHead(2, hidden_dim=64, label_names=["rotten", "fresh"])
    logits = head(np.zeros((8, 128)))  # (8, 2)
    ```
    """

    def __init__(
        self,
        num_classes,
        *,
        problem_type="single_label_classification",
        hidden_dim=None,
        hidden_activation="tanh",
        dropout=0.1,
        activation=None,
        use_bias=True,
        label_names=None,
        **kwargs,
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.num_classes = _as_int(num_classes)
        self.problem_type = problem_type
        self.hidden_dim = hidden_dim
        self.hidden_activation = keras.activations.get(hidden_activation)
        self.dropout = dropout
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.label_names = None if label_names is None else list(label_names)
        self._check()
        self.dropout_layer = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.hidden_dense = hidden_dim and self._dense(
            hidden_dim, self.hidden_activation, name="hidden_dense"
        )
        self.output_dense = self._dense(
            self.num_classes, self.activation, use_bias=use_bias, name="output_dense"
        )

    def build(self, input_shape):
        """Makes the weights for inputs of shape `(B, D)`."""
        if self.hidden_dense:
            self.hidden_dense.build(input_shape)
            input_shape = (*input_shape[:-1], self.hidden_dim)
        self.output_dense.build(input_shape)

    def call(self, inputs, training=None):
        """See the class."""
        x = self.dropout_layer(inputs, training=training)
        if self.hidden_dense:
            x = self.dropout_layer(self.hidden_dense(x), training=training)
        return self.output_dense(x)

    def compute_output_shape(self, input_shape):
        """`(B, C)`."""
        return (*input_shape[:-1], self.num_classes)

    def make_loss(self):
        """The loss that fits the problem type and the activation.

        Returns:
            A new `keras.losses.Loss`: cross-entropy over integer labels `(B,)`, binary
            cross-entropy over 0/1 labels `(B, C)`, or the mean squared error.
        """
        if self.problem_type == "regression":
            return keras.losses.MeanSquaredError()
        from_logits = self._gives_logits()
        if self.problem_type == "multi_label_classification":
            return keras.losses.BinaryCrossentropy(from_logits=from_logits)
        return keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)

    def make_metrics(self):
        """The metrics that fit the problem type.

        Returns:
            List of new `keras.metrics.Metric`: `accuracy` in `[0, 1]`, for several
            labels counted label by label; for regression `mae`, in units of the target.
        """
        if self.problem_type == "regression":
            return [keras.metrics.MeanAbsoluteError(name="mae")]
        if self.problem_type == "multi_label_classification":
            threshold = 0.0 if self._gives_logits() else 0.5
            return [keras.metrics.BinaryAccuracy(name="accuracy", threshold=threshold)]
        return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "problem_type": self.problem_type,
            "hidden_dim": self.hidden_dim,
            "hidden_activation": keras.activations.serialize(self.hidden_activation),
            "dropout": self.dropout,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "label_names": self.label_names,
        }

    def _dense(self, units, activation, **kwargs):
        """A Dense layer with the initial weights of GPT-2 and BERT."""
        return keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.02),
            dtype=self.dtype_policy,
            **kwargs,
        )

    def _gives_logits(self):
        return self.activation is keras.activations.linear

    def _check(self):
        """Raises one error that names every argument that does not fit."""
        if wrong := [*self._wrong_sizes(), *self._wrong_outputs()]:
            raise ValueError("DenseHead: " + "; ".join(wrong))

    def _wrong_sizes(self):
        if not isinstance(self.num_classes, int) or self.num_classes < 1:
            yield f"expected num_classes >= 1. Received: {self.num_classes!r}"
        if self.hidden_dim is not None and self.hidden_dim < 1:
            yield f"expected hidden_dim >= 1 or None. Received: {self.hidden_dim!r}"
        if self.num_classes == 1 and self.problem_type == PROBLEM_TYPES[0]:
            yield (
                "expected at least 2 classes for single_label_classification "
                "(one yes/no label is multi_label_classification). Received: 1"
            )
        names = self.label_names
        fits = names is None or len(names) == len(set(names)) == self.num_classes
        if not fits:
            yield f"expected {self.num_classes} distinct label_names. Received: {names}"

    def _wrong_outputs(self):
        if self.problem_type not in PROBLEM_TYPES:
            yield f"expected problem_type in {PROBLEM_TYPES}. Received: " + repr(
                self.problem_type
            )
            return
        known = {
            "single_label_classification": ("linear", "softmax"),
            "multi_label_classification": ("linear", "sigmoid"),
        }.get(self.problem_type)
        name = getattr(self.activation, "__name__", self.activation)
        if known and name not in known:
            yield (
                f"expected activation None or {known[1]!r} for {self.problem_type}. "
                f"Received: {name!r}"
            )


def _as_int(number):
    """A NumPy integer as `int`; what is no integer comes back for the check."""
    return operator.index(number) if hasattr(number, "__index__") else number
