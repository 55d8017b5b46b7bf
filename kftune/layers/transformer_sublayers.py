"""The arguments, the configuration and the sublayers of a Transformer block."""

import keras

from kftune.layers.multi_head_attention import MultiHeadAttention
from kftune.layers.projection import clone_initializer


class TransformerSublayers(keras.layers.Layer):
    """What `TransformerBlock` is made of, without how it is put together.

    See `TransformerBlock` for the arguments.
    """

    def __init__(
        self,
        intermediate_dim,
        num_heads,
        dropout=0.0,
        activation="relu",
        *,
        layer_norm_epsilon=1e-5,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        normalize_first=False,
        use_causal_mask=False,
        use_cross_attention=False,
        attention_dropout=None,
        activation_dropout=0.0,
        num_key_value_heads=None,
        remat=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.intermediate_dim = intermediate_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.activation = keras.activations.get(activation)
        self.layer_norm_epsilon = layer_norm_epsilon
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.normalize_first = normalize_first
        self.use_causal_mask = use_causal_mask
        self.use_cross_attention = use_cross_attention
        self.attention_dropout = attention_dropout
        self.activation_dropout = activation_dropout
        self.num_key_value_heads = num_key_value_heads
        self.remat = remat
        self.supports_masking = True

    def build(self, x_shape, encoder_sequence_shape=None):
        """Makes the sublayers.

        Args:
            x_shape: shape `(B, T, D)`.
            encoder_sequence_shape: shape `(B, S, D')`. Default: `x_shape`.
        """
        self._build_attention("self_attention", x_shape, x_shape)
        if self.use_cross_attention:
            encoder_shape = encoder_sequence_shape or x_shape
            self._build_attention("cross_attention", x_shape, encoder_shape)
        # KerasHub's encoder and decoder differ in where this normalization stands.
        like_encoder = not (self.use_causal_mask or self.use_cross_attention)
        if like_encoder:
            self._feedforward_layer_norm = self._make_norm("feedforward", x_shape)
        self._feedforward_intermediate_dense = self._make_dense(
            self.intermediate_dim, x_shape, "feedforward_intermediate_dense"
        )
        inner_shape = (*x_shape[:-1], self.intermediate_dim)
        self._feedforward_output_dense = self._make_dense(
            x_shape[-1], inner_shape, "feedforward_output_dense"
        )
        if not like_encoder:
            self._feedforward_layer_norm = self._make_norm("feedforward", x_shape)
        self._activation_dropout = self._make_dropout(
            "activation", self.activation_dropout
        )
        self._feedforward_dropout = self._make_dropout("feedforward", self.dropout)

    def _build_attention(self, name, x_shape, value_shape):
        grouped = name == "self_attention"
        attention_dropout = self.attention_dropout
        attention = MultiHeadAttention(
            num_heads=self.num_heads,
            key_dim=_head_size(x_shape[-1], self.num_heads),
            dropout=self.dropout if attention_dropout is None else attention_dropout,
            kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer,
            num_key_value_heads=self.num_key_value_heads if grouped else None,
            dtype=self.dtype_policy,
            name=name,
        )
        attention.build(x_shape, value_shape)
        setattr(self, f"_{name}_layer", attention)
        setattr(self, f"_{name}_layer_norm", self._make_norm(name, x_shape))
        setattr(self, f"_{name}_dropout", self._make_dropout(name, self.dropout))

    def _make_norm(self, name, shape):
        norm = keras.layers.LayerNormalization(
            epsilon=self.layer_norm_epsilon,
            dtype=self.dtype_policy,
            name=f"{name}_layer_norm",
        )
        norm.build(shape)
        return norm

    def _make_dropout(self, name, rate):
        return keras.layers.Dropout(
            rate, dtype=self.dtype_policy, name=f"{name}_dropout"
        )

    def _make_dense(self, units, shape, name):
        dense = keras.layers.Dense(
            units,
            kernel_initializer=clone_initializer(self.kernel_initializer),
            bias_initializer=clone_initializer(self.bias_initializer),
            dtype=self.dtype_policy,
            name=name,
        )
        dense.build(shape)
        return dense

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "activation": keras.activations.serialize(self.activation),
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "normalize_first": self.normalize_first,
            "use_causal_mask": self.use_causal_mask,
            "use_cross_attention": self.use_cross_attention,
            "attention_dropout": self.attention_dropout,
            "activation_dropout": self.activation_dropout,
            "num_key_value_heads": self.num_key_value_heads,
            "remat": self.remat,
        }


def _head_size(hidden_dim, num_heads):
    if hidden_dim % num_heads:
        raise ValueError(
            "Expected num_heads to divide the hidden size. Received: "
            f"num_heads={num_heads}, hidden size {hidden_dim}"
        )
    return hidden_dim // num_heads
