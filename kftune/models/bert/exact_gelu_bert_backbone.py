"""BERT with the GELU that Hugging Face checkpoints were trained with."""

import keras
import keras_hub


@keras.saving.register_keras_serializable(package="kftune")
class ExactGeluBertBackbone(keras_hub.models.BertBackbone):
    """KerasHub's BERT, with the exact GELU in place of its approximation by tanh.

    The original TensorFlow checkpoints use the approximation, those of Hugging Face
    (`"hidden_act": "gelu"`) the exact function. With the wrong one sentence embeddings
    are off in the third decimal place. Arguments and outputs are those of
    `keras_hub.models.BertBackbone`.

    Example:
    ```python
    backbone = ExactGeluBertBackbone(
        vocabulary_size=50, num_layers=2, num_heads=2, hidden_dim=8,
        intermediate_dim=16, max_sequence_length=16,
    )
    ```
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # KerasHub has no argument for it, and its blocks name the layer privately.
        for block in self.transformer_layers:
            block._feedforward_intermediate_dense.activation = keras.activations.gelu
