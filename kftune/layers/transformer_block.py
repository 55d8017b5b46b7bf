"""The block that every Transformer of the project is built of."""

import keras
from keras import ops

from kftune.layers.multi_head_attention import MultiHeadAttention
from kftune.layers.projection import clone_initializer
from kftune.layers.rematerialize import rematerialize


@keras.saving.register_keras_serializable(package="kftune")
class TransformerBlock(keras.layers.Layer):
    """Self-attention, cross-attention if asked for, and a feed-forward network.

    Each of them has a residual connection, a layer normalization after (or before) it
    and dropout. With `use_causal_mask` or `use_cross_attention` the weights are, in
    order and shape, those of `keras_hub.layers.TransformerDecoder`, without both those
    of `keras_hub.layers.TransformerEncoder`.

    Letters: B batch, T target length, S source length, L length of a cache, D hidden.

    Args:
        intermediate_dim: `int`. Width of the feed-forward network.
        num_heads: `int`. Number of attention heads, which divides D.
        dropout: `float` in [0, 1). Rate of dropout on what each sublayer returns.
        activation: `str` or function. Activation of the feed-forward network.
        layer_norm_epsilon: `float`. Added to the variance before the root.
        kernel_initializer: initializer of the kernels.
        bias_initializer: initializer of the biases.
        normalize_first: `bool`. True normalizes what goes into a sublayer (pre-norm),
            False what comes out after the residual (post-norm).
        use_causal_mask: `bool`. True lets a token attend to tokens up to its own only.
        use_cross_attention: `bool`. Whether the block attends to an encoder.
        attention_dropout: `float` in [0, 1). Rate of dropout on the attention
            weights. Default: `dropout`.
        activation_dropout: `float` in [0, 1). Rate of dropout after the activation.
        num_key_value_heads: `int`. Key and value heads of the self-attention, which
            divides `num_heads`. Default: `num_heads`.
        remat: `bool`. Whether training recomputes what happens inside the block in
            the backward pass instead of keeping it, which takes less memory and more
            time (Chen et al., 2016, https://arxiv.org/abs/1604.06174).
        **kwargs: Passed to `keras.layers.Layer`.

    Call arguments:
        x: float tensor of shape `(B, T, D)`.
        padding_mask: `bool` or `int32` tensor of shape `(B, T)`. True, or 1, means a
            real token.
        encoder_sequence: float tensor of shape `(B, S, D')`, for cross-attention.
        encoder_padding_mask: `bool` or `int32` tensor of shape `(B, S)`.
        training: `bool`. Whether dropout is applied.

    Returns:
        Float tensor of shape `(B, T, D)`.

    Raises:
        ValueError: if `num_heads` does not divide D, or an encoder is given to a block
            without cross-attention or is missing in one with it.

    Reference: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762

    Example:
    ```python
    block = TransformerBlock(64, num_heads=4, use_causal_mask=True)
    block(np.random.normal(size=(2, 5, 16))).shape  # (2, 5, 16)
    ```
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

    def call(
        self,
        x,
        padding_mask=None,
        encoder_sequence=None,
        encoder_padding_mask=None,
        training=None,
    ):
        """See the class."""
        self._check_encoder("encoder_sequence", encoder_sequence)

        def attend_to_self(x):
            return self._self_attention_layer(
                x,
                x,
                attention_mask=None if padding_mask is None else padding_mask[:, None],
                use_causal_mask=self.use_causal_mask,
                training=training,
            )

        def apply(x, *encoder_sequence):
            def attend_to_encoder(x):
                mask = encoder_padding_mask
                return self._cross_attention_layer(
                    x,
                    *encoder_sequence,
                    attention_mask=None if mask is None else mask[:, None],
                    training=training,
                )

            return self._apply_sublayers(x, attend_to_self, attend_to_encoder, training)

        inputs = (x, encoder_sequence) if self.use_cross_attention else (x,)
        if self.remat and training:
            return rematerialize(self, apply, *inputs)
        return apply(*inputs)

    def init_cache(self, batch_size, max_length):
        """Returns an empty cache for `step`.

        Args:
            batch_size: `int`, B.
            max_length: `int`, L.

        Returns:
            Tuple of keys and values, see `MultiHeadAttention.init_cache`.
        """
        return self._self_attention_layer.init_cache(batch_size, max_length)

    def project_encoder(self, encoder_sequence):
        """Projects what the encoder returned, once a sentence.

        Args:
            encoder_sequence: float tensor of shape `(B, S, D')`.

        Returns:
            Tuple of keys and values, see `MultiHeadAttention.project_key_value`.
        """
        return self._cross_attention_layer.project_key_value(encoder_sequence)

    def step(
        self,
        x,
        cache,
        index,
        padding_mask=None,
        *,
        encoder_key_value=None,
        encoder_padding_mask=None,
    ):
        """Computes new tokens only, from a cache of those before.

        Args:
            x: float tensor of shape `(B, T, D)`, tokens `index` to `index + T - 1`.
            cache: what `init_cache` or the step before returned.
            index: `int` or `int32` scalar tensor.
            padding_mask: `bool` or `int32` tensor of shape `(B, L)` over the cache.
                True, or 1, means a real token.
            encoder_key_value: what `project_encoder` returned.
            encoder_padding_mask: `bool` or `int32` tensor of shape `(B, S)`.

        Returns:
            Tuple of a float tensor of shape `(B, T, D)` and the cache with the new
            tokens in it.
        """
        self._check_encoder("encoder_key_value", encoder_key_value)

        def attend_to_self(x):
            nonlocal cache
            x, cache = self._self_attention_layer.step(x, cache, index, padding_mask)
            return x

        def attend_to_encoder(x):
            return self._cross_attention_layer.attend(
                x, encoder_key_value, encoder_padding_mask
            )

        x = ops.convert_to_tensor(x, self.compute_dtype)
        x = self._apply_sublayers(x, attend_to_self, attend_to_encoder, training=False)
        return x, cache

    def _apply_sublayers(self, x, attend_to_self, attend_to_encoder, training):
        def feed_forward(x):
            # As rows of one matrix, for the reason that `Projection` gives.
            rows = ops.reshape(x, (-1, x.shape[-1]))
            rows = self.activation(self._feedforward_intermediate_dense(rows))
            rows = self._activation_dropout(rows, training=training)
            return ops.reshape(self._feedforward_output_dense(rows), ops.shape(x))

        x = self._add_sublayer("self_attention", attend_to_self, x, training)
        if self.use_cross_attention:
            x = self._add_sublayer("cross_attention", attend_to_encoder, x, training)
        return self._add_sublayer("feedforward", feed_forward, x, training)

    def _add_sublayer(self, name, function, x, training):
        norm = getattr(self, f"_{name}_layer_norm")
        dropout = getattr(self, f"_{name}_dropout")
        inputs = norm(x) if self.normalize_first else x
        x = x + dropout(function(inputs), training=training)
        return x if self.normalize_first else norm(x)

    def _check_encoder(self, name, encoder):
        if self.use_cross_attention == (encoder is not None):
            return
        expected = "an encoder" if self.use_cross_attention else "no encoder"
        raise ValueError(
            f"A block with use_cross_attention={self.use_cross_attention} expects "
            f"{expected}. Received: {name}={encoder}"
        )

    def compute_output_spec(self, x, *args, **kwargs):
        """Like `x`."""
        return keras.KerasTensor(x.shape, dtype=self.compute_dtype)

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
