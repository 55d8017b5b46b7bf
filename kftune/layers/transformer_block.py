"""The block that every Transformer of the project is built of."""

import keras
from keras import ops

from kftune.layers.attention_math import with_query_axis
from kftune.layers.rematerialize import rematerialize
from kftune.layers.transformer_sublayers import TransformerSublayers


@keras.saving.register_keras_serializable(package="kftune")
class TransformerBlock(TransformerSublayers):
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
            real token. Or of shape `(B, T, T)`: a token that the one may attend to.
        encoder_sequence: float tensor of shape `(B, S, D')`, for cross-attention.
        encoder_padding_mask: `bool` or `int32` tensor of shape `(B, S)`.
        training: `bool`. Whether dropout is applied.

    Returns:
        Float tensor of shape `(B, T, D)`.

    Raises:
        ValueError: if `num_heads` does not divide D, an encoder is given to a block
            without cross-attention or is missing in one with it, or a block without
            causal mask is asked for a step.

    Reference: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762

    Example:
    ```python
    block = TransformerBlock(64, num_heads=4, use_causal_mask=True)
    block(np.random.normal(size=(2, 5, 16))).shape  # (2, 5, 16)
    ```
    """

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
            return self._attend_to_self(x, padding_mask, training=training)

        def apply(x, *encoder_sequence):
            def attend_to_encoder(x):
                return self._cross_attention_layer(
                    x,
                    *encoder_sequence,
                    attention_mask=with_query_axis(encoder_padding_mask),
                    training=training,
                )

            return self._apply_sublayers(x, attend_to_self, attend_to_encoder, training)

        inputs = (x, encoder_sequence) if self.use_cross_attention else (x,)
        if self.remat and training:
            return rematerialize(self, apply, *inputs)
        return apply(*inputs)

    def attention_weights(self, x, padding_mask=None):
        """Computes how much each token attends to each, as `call` does.

        Args:
            x: float tensor of shape `(B, T, D)`, what `call` gets.
            padding_mask: `bool` or `int32` tensor of shape `(B, T)`. True, or 1, means
                a real token.

        Returns:
            Float tensor of shape `(B, N, T, T)`, N heads. A row sums to 1, or to 0 for
            a token that may attend to none.
        """
        x = self._self_attention_layer_norm(x) if self.normalize_first else x
        _, weights = self._attend_to_self(
            x, padding_mask, training=False, return_attention_scores=True
        )
        return weights

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
        self._check_encoder("encoder_sequence", encoder_sequence)
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
        source_weights=None,
    ):
        """Computes new tokens only, from a cache of those before.

        Args:
            x: float tensor of shape `(B, T, D)`, tokens `index` to `index + T - 1`.
            cache: what `init_cache` or the step before returned.
            index: `int` or `int32` scalar tensor.
            padding_mask: `bool` or `int32` tensor of shape `(B, L)` or `(B, T, L)` over
                the cache. True, or 1, means a real token.
            encoder_key_value: what `project_encoder` returned.
            encoder_padding_mask: `bool` or `int32` tensor of shape `(B, S)`.
            source_weights: `list` or None. The weights of the cross-attention are
                appended to it, a float tensor of shape `(B, N, T, S)`.

        Returns:
            Tuple of a float tensor of shape `(B, T, D)` and the cache with the new
            tokens in it.
        """
        self._check_encoder("encoder_key_value", encoder_key_value)
        if not self.use_causal_mask:
            raise ValueError(
                "A step needs a block whose tokens attend to those before them, "
                "use_causal_mask=True. Received: use_causal_mask=False"
            )

        def attend_to_self(x):
            nonlocal cache
            x, cache = self._self_attention_layer.step(x, cache, index, padding_mask)
            return x

        def attend_to_encoder(x):
            seen = (encoder_key_value, encoder_padding_mask)
            if source_weights is not None:
                weights = self._cross_attention_layer.attention_weights(x, *seen)
                source_weights.append(weights)
            return self._cross_attention_layer.attend(x, *seen)

        x = ops.convert_to_tensor(x, self.compute_dtype)
        x = self._apply_sublayers(x, attend_to_self, attend_to_encoder, training=False)
        return x, cache

    def _attend_to_self(self, x, padding_mask, **options):
        return self._self_attention_layer(
            x,
            x,
            attention_mask=with_query_axis(padding_mask),
            use_causal_mask=self.use_causal_mask,
            **options,
        )

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
        received = "None" if encoder is None else "a value"
        raise ValueError(
            f"A block with use_cross_attention={self.use_cross_attention} expects "
            f"{expected}. Received: {received} for {name}"
        )

    def compute_output_spec(self, x, *args, **kwargs):
        """Like `x`."""
        return keras.KerasTensor(x.shape, dtype=self.compute_dtype)
