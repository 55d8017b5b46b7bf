"""GPT-2 on kftune's Transformer block, for KerasHub's presets and tasks."""

import keras
import keras_hub
from keras import ops

from kftune.layers import TransformerBlock
from kftune.layers.segment_math import segment_mask, segment_positions
from kftune.models.merged_lora import merged_weights
from kftune.models.pretrained.preset_backbone import PresetBackbone
from kftune.models.quantize_alike import own_policy, quantize_alike
from kftune.models.transformer.transformer_stack import TransformerStack


@keras.saving.register_keras_serializable(package="kftune")
class GPT2Backbone(PresetBackbone, keras_hub.models.Backbone):
    """GPT-2 (Radford et al. 2019) up to the last hidden states.

    Arguments, inputs, names of layers and order of weights are those of
    `keras_hub.models.GPT2Backbone`. Beyond it, `init_cache` and `step` decode with one
    (key, value) pair a layer, and `remat` saves memory. Letters: B batch, T length,
    L length of the cache, D hidden, V vocabulary.

    Args:
        vocabulary_size: `int`. V.
        num_layers: `int`.
        num_heads: `int`, which divides `hidden_dim`.
        hidden_dim: `int`. D.
        intermediate_dim: `int`. Width of the feed-forward layer.
        dropout: `float` in `[0, 1)`.
        max_sequence_length: `int`. Positions that can be told apart.
        remat: `bool`. True: the states inside blocks are computed again for the
            gradients in place of being kept. Not part of a saved preset; an attribute.
        dtype: `str`, dtype policy or `None` for Keras's own.
        **kwargs: `name` and `trainable`.

    Call arguments:
        inputs: dict of `token_ids` and `padding_mask`, `int32` tensors `(B, T)`. 1 in
            the mask means a real token.

    Returns:
        Float tensor `(B, T, D)`.

    Example:
    ```python
    backbone = GPT2Backbone(
        vocabulary_size=50, num_layers=2, num_heads=2, hidden_dim=8,
        intermediate_dim=16, max_sequence_length=16,
    )
    ids = np.ones((4, 9), "int32")
    backbone({"token_ids": ids, "padding_mask": ids})  # (4, 9, 8)

    hidden, cache = backbone.step(ids, backbone.init_cache(4, 16), 0)
    hidden, cache = backbone.step(ids[:, :1], cache, 9)  # (4, 1, 8)
    logits = backbone.logits(hidden)  # (4, 1, 50)
    ```
    """

    keras_hub_cls = keras_hub.models.GPT2Backbone

    def __init__(  # noqa: PLR0917 (KerasHub order)
        self,
        vocabulary_size,
        num_layers,
        num_heads,
        hidden_dim,
        intermediate_dim,
        dropout=0.1,
        max_sequence_length=1024,
        remat=False,
        dtype=None,
        **kwargs,
    ):
        # === Layers ===
        self.token_embedding = keras.layers.ReversibleEmbedding(
            vocabulary_size,
            hidden_dim,
            embeddings_initializer=_normal(0.01),
            dtype=dtype,
            name="token_embedding",
        )
        self.position_embedding = keras_hub.layers.PositionEmbedding(
            max_sequence_length,
            initializer=_normal(0.02),
            dtype=dtype,
            name="position_embedding",
        )
        self.transformer_layers = [
            TransformerBlock(
                intermediate_dim,
                num_heads,
                dropout=dropout,
                activation=_gelu,
                kernel_initializer=_normal(0.02),
                normalize_first=True,
                use_causal_mask=True,
                remat=remat,
                dtype=dtype,
                name=f"transformer_layer_{index}",
            )
            for index in range(num_layers)
        ]
        self.layer_norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=dtype, name="layer_norm"
        )
        self._stack = TransformerStack(
            self.token_embedding,
            self.position_embedding,
            self.transformer_layers,
            dropout=dropout,
            layer_norm=self.layer_norm,
            dtype=dtype,
        )

        # === Functional Model ===
        inputs = {
            name: keras.Input((None,), dtype="int32", name=name)
            for name in ("token_ids", "padding_mask")
        }
        outputs = self._stack(inputs["token_ids"], padding_mask=inputs["padding_mask"])
        super().__init__(inputs=inputs, outputs=outputs, dtype=dtype, **kwargs)

        # === Config ===
        self.vocabulary_size = vocabulary_size
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.max_sequence_length = max_sequence_length

    @classmethod
    def from_keras_hub(cls, backbone):
        """Makes one with the weights of KerasHub's.

        Args:
            backbone: `keras_hub.models.GPT2Backbone`.

        Returns:
            `GPT2Backbone`.
        """
        ours = cls.from_config(backbone.get_config())
        ours.set_weights(merged_weights(backbone))
        return ours

    def to_keras_hub(self):
        """Makes KerasHub's backbone with these weights; LoRA is merged into them.

        Returns:
            `keras_hub.models.GPT2Backbone`.
        """
        # That of a layer that is never quantised.
        config = {**self.get_config(), "dtype": own_policy(self.layer_norm)}
        del config["remat"]
        theirs = keras_hub.models.GPT2Backbone.from_config(config)
        quantize_alike(theirs, self)
        theirs.set_weights(merged_weights(self))
        return theirs

    def write_preset(self, folder, max_shard_size):
        """Writes the files of KerasHub's backbone, which opens without kftune.

        Args:
            folder: `Path` of an empty folder.
            max_shard_size: as in `save_to_preset`.
        """
        theirs = self.to_keras_hub()
        theirs.save_to_preset(str(folder), max_shard_size=max_shard_size)

    @property
    def max_positions(self):
        """`int`, how many tokens a row may have."""
        return self.max_sequence_length

    @property
    def remat(self):
        """`bool`, see the class; may be set before training is compiled."""
        return self._stack.remat

    @remat.setter
    def remat(self, remat):
        self._stack.remat = remat

    def packed_states(self, token_ids, segment_ids):
        """Computes the states of rows that hold several texts, each as if alone.

        Args:
            token_ids: `int32` tensor `(B, T)`.
            segment_ids: `int32` tensor `(B, T)`, from 1 a number for each text of a
                row, 0 for padding. Tokens attend to those before them with their
                number, and count their positions from the first of these: T may be
                more than there are positions, a text not.

        Returns:
            Float tensor `(B, T, D)`.
        """
        mask = segment_mask(segment_ids)
        positions = segment_positions(mask) * ops.cast(segment_ids > 0, "int32")
        return self._stack(token_ids, positions=positions, padding_mask=mask)

    def init_cache(self, batch_size, max_length):
        """Makes an empty cache for `step`.

        Args:
            batch_size: `int`. B.
            max_length: `int`. L.

        Returns:
            List with a (key, value) pair for each layer.
        """
        return self._stack.init_cache(batch_size, max_length)

    def step(self, token_ids, cache, index, padding_mask=None, beam_mask=None):
        """Computes the states of the next tokens of rows whose beginning is cached.

        Args:
            token_ids: `int32` tensor `(B, T)`: a whole prompt, or one token a row.
            cache: list of pairs, see `init_cache`.
            index: `int` or scalar `int32` tensor. Position of the first token, from 0.
            padding_mask: `bool` tensor `(B, L)` or `None`. True means a position that
                may be attended to, if it is not a later one.
            beam_mask: `bool` tensor `(B, W, L·W)` or `None`. With it `token_ids` is
                `(B, W)`, those of W beams at one position, and the cache is what
                `beam_cache` gave; True means a place of the beam.

        Returns:
            Tuple of the states, a float tensor `(B, T, D)`, and the new cache.
        """
        return self._stack.step(
            token_ids, cache, index, padding_mask=padding_mask, beam_mask=beam_mask
        )

    def logits(self, hidden):
        """Scores every token of the vocabulary; the weights are the embedding's.

        Args:
            hidden: float tensor `(B, T, D)`.

        Returns:
            Float tensor `(B, T, V)`.
        """
        return self.token_embedding(hidden, reverse=True)

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "hidden_dim": self.hidden_dim,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
            "max_sequence_length": self.max_sequence_length,
            "remat": self.remat,
        }


def _normal(stddev):
    """GPT-2's initial weights."""
    return keras.initializers.RandomNormal(stddev=stddev)


@keras.saving.register_keras_serializable(package="kftune", name="gelu_approximate")
def _gelu(x):
    """GPT-2's GELU, the approximation by tanh."""
    return keras.activations.gelu(x, approximate=True)
