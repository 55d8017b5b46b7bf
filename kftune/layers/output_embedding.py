"""A token embedding that also gives logits, with a bias of their own."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kftune")
class OutputEmbedding(keras.layers.ReversibleEmbedding):
    """`keras.layers.ReversibleEmbedding` whose logits get a fixed bias.

    Marian and BART checkpoints bring such a bias (`final_logits_bias`). It is a weight
    that is saved and loaded and never trained, as there. Letters: B batch, T length,
    D `output_dim`, V `input_dim`.

    Arguments and call arguments are those of `keras.layers.ReversibleEmbedding`.

    Example:
    ```python
    embedding = OutputEmbedding(input_dim=50, output_dim=8)
    hidden = embedding(np.array([[3, 4]]))  # (1, 2, 8)
    logits = embedding(hidden, reverse=True)  # (1, 2, 50)
    ```
    """

    def build(self, input_shape=None):
        """Makes the table `(V, D)` and the bias `(V,)`, zeros."""
        super().build(input_shape)
        self.logits_bias = self.add_weight(
            name="logits_bias",
            shape=(self.input_dim,),
            initializer="zeros",
            trainable=False,
        )

    def call(self, inputs, reverse=False):
        """Embeds ids `(B, T)`, or gives logits `(B, T, V)` for states `(B, T, D)`."""
        return self._with_bias(super().call(inputs, reverse=reverse), reverse)

    def quantized_call(self, inputs, reverse=False):
        """Does the same with an integer table."""
        outputs = super().quantized_call(inputs, reverse=reverse)
        return self._with_bias(outputs, reverse)

    def quantize(self, mode=None, type_check=False, config=None):
        """Makes integers of the table; the bias stays as it is."""
        super().quantize(mode, type_check=type_check, config=config)

    @property
    def variable_serialization_spec(self):
        """The names of the weights that are saved, by quantisation mode."""
        spec = super().variable_serialization_spec
        return {mode: [*names, "logits_bias"] for mode, names in spec.items()}

    def _with_bias(self, outputs, reverse):
        if not reverse:
            return outputs
        return ops.add(outputs, ops.cast(self.logits_bias, outputs.dtype))
