"""How projected heads attend to each other, and over which path."""

from keras import ops

from kftune.layers import attention_math
from kftune.layers.attention_backend import can_use_flash, can_use_fused
from kftune.layers.attention_projections import AttentionProjections
from kftune.layers.covered_dropout import drops


class DotProductAttention(AttentionProjections):
    """What `MultiHeadAttention` computes between its projections.

    Attributes:
        attention_path: `str`, what the latest call, or the latest trace of compiled
            code, took: `"flash"`, a flash kernel of the backend; `"fused"`,
            `keras.ops.dot_product_attention` without one; `"einsum"`, which alone has
            the weights, for dropout in training, `return_attention_scores`, more than
            one axis, and what the backend does not fuse; `"cache"`, plain products of a
            few tokens with a cache, where there is nothing to fuse. None before the
            first call.
    """

    attention_path = None

    def _compute_attention(  # noqa: PLR0917 Keras's signature
        self,
        query,
        key,
        value,
        attention_mask=None,
        training=None,
        return_attention_scores=False,
        use_causal_mask=False,
    ):
        """Attention of projected heads; subclasses may override it.

        Args:
            query: float tensor of shape `(B, T, N, H)`.
            key: float tensor of shape `(B, S, K, H)`.
            value: float tensor of shape `(B, S, K, V)`.
            attention_mask: `bool` tensor of shape `(B, T, S)`, or None.
            training: `bool`. Whether dropout is applied.
            return_attention_scores: `bool`.
            use_causal_mask: `bool`.

        Returns:
            Tuple of a float tensor of shape `(B, T, N, V)` and the weights of shape
            `(B, N, T, S)`, None on a fused path.
        """
        if self._flash_attention and return_attention_scores:
            raise ValueError(
                "Returning attention scores is not supported when flash attention is "
                "enabled. Please disable flash attention to access attention scores."
            )
        axes = len(self._resolved_axes)
        scores_rank = len(query.shape) - 1 + axes
        mask = attention_mask
        if mask is not None:
            mask = ops.cast(mask, "bool")
            mask = attention_math.expand_mask(mask, scores_rank, axes)
        query = self._scale(query)
        key = attention_math.repeat_heads(key, self._num_heads)
        value = attention_math.repeat_heads(value, self._num_heads)
        needs_scores = return_attention_scores or drops(self._dropout_layer, training)
        if needs_scores or not self._can_use_fused(query):
            self.attention_path = "einsum"
            if use_causal_mask:
                causal = self._compute_causal_mask(query, value)
                causal = attention_math.expand_mask(causal, scores_rank, axes)
                mask = attention_math.combine_masks(mask, causal)
            return self._einsum_attention(query, key, value, mask, training)
        flash = self._flash_attention
        if flash is None:
            flash = can_use_flash(query, key, value, mask, is_causal=use_causal_mask)
        self.attention_path = "flash" if flash else "fused"
        output = attention_math.fused_attention(
            query, key, value, mask, is_causal=use_causal_mask, flash=flash
        )
        return output, None

    def _scale(self, query):
        # Before the products, which float16 would not hold otherwise.
        return ops.multiply(query, ops.cast(self._inverse_sqrt_key_dim, query.dtype))

    def _few_token_attention(self, query, key, value, mask):
        """Like `_compute_attention`, for `(B, T, N, H)` and keys `(B, K, S, H)`."""
        self.attention_path = "cache"
        mask = None if mask is None else attention_math.expand_mask(mask, 4)
        query = self._scale(query)
        return attention_math.few_token_attention(query, key, value, mask)

    def _can_use_fused(self, query):
        sizes = (self._key_dim, self._value_dim)
        return len(query.shape) == 4 and can_use_fused(*sizes, query.dtype)

    def _einsum_attention(self, query, key, value, mask, training):
        equations = attention_math.attention_equations(
            len(query.shape), self._resolved_axes
        )
        scores = ops.einsum(equations[0], query, key)
        scores = attention_math.masked_softmax(scores, mask, len(self._resolved_axes))
        dropped = self._dropout_layer(scores, training=training)
        return ops.einsum(equations[1], dropped, value), scores

    def _compute_attention_mask(  # noqa: PLR0917 Keras's signature
        self,
        query,
        value,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        use_causal_mask=False,
    ):
        """Returns the logical and of all masks, `(B, T, S)`, or None."""
        masks = [
            None if query_mask is None else query_mask[..., :, None],  # (B, T, 1)
            None if value_mask is None else value_mask[..., None, :],  # (B, 1, S)
            None if key_mask is None else key_mask[..., None, :],
            attention_mask,
        ]
        if use_causal_mask:
            masks.append(self._compute_causal_mask(query, value))
        if self._sliding_window is not None:
            masks.append(self._compute_sliding_window_mask(query, value))
        return attention_math.combine_masks(*masks)

    def _compute_step_mask(self, query_length, key_length, index):
        """Returns what queries from `index` on may see of a cache, `(1, T, L)`."""
        mask = attention_math.causal_mask(query_length, key_length, index)
        if self._sliding_window is None:
            return mask
        window = attention_math.sliding_window_mask(
            query_length, key_length, self._sliding_window, index
        )
        return attention_math.combine_masks(mask, window)

    def _compute_causal_mask(self, query, value=None):
        """Returns a `bool` tensor of shape `(1, T, S)`."""
        value = query if value is None else value
        return attention_math.causal_mask(ops.shape(query)[1], ops.shape(value)[1])

    def _compute_sliding_window_mask(self, query, value=None):
        """Returns a `bool` tensor of shape `(1, T, S)`."""
        value = query if value is None else value
        return attention_math.sliding_window_mask(
            ops.shape(query)[1], ops.shape(value)[1], self._sliding_window
        )
