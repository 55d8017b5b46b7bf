"""Multi-head attention with grouped heads and a cache, compiled by XLA."""

import keras
from keras import ops

from kftune.layers import attention_math
from kftune.layers.attention_projections import check_key_shape
from kftune.layers.covered_dropout import drops
from kftune.layers.dot_product_attention import DotProductAttention

# Up to so many tokens, such as the beams of a row, a kernel that first lays out keys
# and values anew would do more copying than computing.
_FEW_TOKENS = 16


@keras.saving.register_keras_serializable(package="kftune")
class MultiHeadAttention(DotProductAttention):
    """Computes softmax(QKᵀ/√H)V over several heads.

    Arguments, call arguments, return values and names of the projections are those of
    `keras.layers.MultiHeadAttention`. Beyond it: grouped key and value heads; the
    fused path also when `dropout > 0` at inference; zeros for a query that may attend
    to nothing; `flash_attention` in the configuration; and methods for decoding, which
    keep projected keys and values.

    Letters: B batch, T target (query) length, S source (key) length, L length of a
    cache, D hidden, N query heads, K key and value heads, H key head size, V value
    head size.

    Args:
        num_heads: `int`, N.
        key_dim: `int`, H, size of a query and key head.
        value_dim: `int`, V, size of a value head. Default: `key_dim`.
        dropout: `float` in [0, 1). Rate of dropout on the attention weights.
        use_bias: `bool`. Whether the projections have a bias.
        output_shape: `int` or tuple of `int`. Size of the output in place of the
            query's last axis. Default: that of the query.
        attention_axes: `int` or tuple of `int`. Axes attended over. Default: all
            but the first and the last.
        sliding_window: `int`. A query attends to keys less than so many positions
            away only. Default: to all.
        flash_attention: `bool`. True demands the backend's flash kernel, False
            forbids it. Default: used where the backend has it for the inputs, unless
            `keras.config.disable_flash_attention()` was called.
        kernel_initializer: initializer of the kernels.
        bias_initializer: initializer of the biases.
        kernel_regularizer: regularizer of the kernels.
        bias_regularizer: regularizer of the biases.
        activity_regularizer: regularizer of what the projections return.
        kernel_constraint: constraint on the kernels.
        bias_constraint: constraint on the biases.
        use_gate: `bool`. Whether a sigmoid gate, projected from the query, scales the
            heads (Qiu et al., 2025, https://arxiv.org/abs/2505.06708).
        seed: `int`. Seed of the dropout.
        num_key_value_heads: `int`, K, which divides `num_heads` (Ainslie et al., 2023,
            https://arxiv.org/abs/2305.13245). Default: `num_heads`.
        **kwargs: Passed to `keras.layers.Layer`.

    Call arguments:
        query: float tensor of shape `(B, T, D)`; of higher rank with
            `attention_axes`.
        value: float tensor of shape `(B, S, D)`.
        key: float tensor of shape `(B, S, D)`. Default: `value`.
        query_mask: `bool` tensor of shape `(B, T)`. Keras fills it in, and the next
            two, from the masks of the inputs.
        value_mask: `bool` tensor of shape `(B, S)`.
        key_mask: `bool` tensor of shape `(B, S)`.
        attention_mask: `bool` tensor of shape `(B, T, S)`, or one that broadcasts to
            `(B, N, T, S)`. True means that the query may attend to the key.
        return_attention_scores: `bool`. Whether to return the attention weights too.
        training: `bool`. Whether dropout is applied.
        use_causal_mask: `bool`. True lets a query attend to positions up to its own
            only.

    Returns:
        Float tensor of shape `(B, T, D)`; with `return_attention_scores` a tuple of
        it and the weights before dropout, of shape `(B, N, T, S)`.

    Raises:
        ValueError: if a number is not a positive integer, `num_key_value_heads` does
            not divide `num_heads`, `output_shape` or `attention_axes` is of another
            type, keys and values differ in length, or dropout or
            `return_attention_scores` is asked for with `flash_attention=True`.

    Reference: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762

    Example:
    ```python
    attention = MultiHeadAttention(num_heads=4, key_dim=8, num_key_value_heads=2)
    x = np.random.normal(size=(2, 5, 32))
    y = attention(x, x, use_causal_mask=True)  # (2, 5, 32)
    attention.attention_path  # "fused"

    # The same, a token a step.
    cache = attention.init_cache(batch_size=2, max_length=5)
    for index in range(5):
        y, cache = attention.step(x[:, index : index + 1], cache, index)
    ```
    """

    def call(  # noqa: PLR0917 Keras's signature
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
    ):
        """See the class."""
        key = value if key is None else key
        masks = (query_mask, value_mask, key_mask, attention_mask)
        # A subclass with its own `_compute_attention` gets the mask whole.
        causal_only = (
            use_causal_mask
            and all(mask is None for mask in (*masks, self._sliding_window))
            and not self._overrides_attention()
        )
        if not causal_only:
            attention_mask = self._compute_attention_mask(
                query, value, *masks, use_causal_mask=use_causal_mask
            )
        heads, scores = self._compute_attention(
            self._query_dense(query),  # (B, T, N, H)
            self._key_dense(key),  # (B, S, K, H)
            self._value_dense(value),  # (B, S, K, V)
            attention_mask,
            training,
            return_attention_scores,
            **({"use_causal_mask": True} if causal_only else {}),
        )
        output = self._project_output(query, heads)
        return (output, scores) if return_attention_scores else output

    def init_cache(self, batch_size, max_length):
        """Returns an empty cache for `step`.

        Args:
            batch_size: `int`, B.
            max_length: `int`, L, how many tokens it holds.

        Returns:
            Tuple of zeros of the compute dtype, the keys of shape `(B, K, L, H)` and
            the values of shape `(B, K, L, V)`.
        """
        shape = (batch_size, self._num_key_value_heads, max_length)
        sizes = (self._key_dim, self._value_dim)
        return tuple(ops.zeros((*shape, size), self.compute_dtype) for size in sizes)

    def project_key_value(self, value, key=None):
        """Projects what `attend` looks at, such as an encoded sentence, once.

        Args:
            value: float tensor of shape `(B, S, D)`.
            key: float tensor of shape `(B, S, D)`. Default: `value`.

        Returns:
            Tuple of keys of shape `(B, K, S, H)` and values of shape `(B, K, S, V)`.

        Raises:
            ValueError: if the value is not of rank 3.
        """
        if len(value.shape) != 3:
            raise ValueError(
                "Expected a tensor of shape (B, S, D); attention over other axes has "
                f"no cache. Received: shape {tuple(value.shape)}"
            )
        key = self._key_dense(value if key is None else key)
        return _heads_first(key), _heads_first(self._value_dense(value))

    def attend(self, query, key_value, attention_mask=None, training=None):
        """Attends to projected keys and values.

        Args:
            query: float tensor of shape `(B, T, D)`.
            key_value: what `project_key_value` returned.
            attention_mask: `bool` tensor of shape `(B, S)` or `(B, T, S)`. True means
                that the query may attend to the key.
            training: `bool`. Whether dropout is applied.

        Returns:
            Float tensor of shape `(B, T, D)`.
        """
        key, value = key_value
        masks = [attention_math.with_query_axis(attention_mask)]
        if self._sliding_window is not None:
            masks.append(self._compute_sliding_window_mask(query, _heads_first(value)))
        mask = attention_math.combine_masks(*masks)
        return self._attend(query, key, value, mask, training)

    def attention_weights(self, query, key_value, attention_mask=None):
        """Computes how much `attend` looks at each key.

        Args:
            query: float tensor of shape `(B, T, D)`.
            key_value: what `project_key_value` returned.
            attention_mask: `bool` tensor of shape `(B, S)` or `(B, T, S)`.

        Returns:
            Float tensor of shape `(B, N, T, S)`.
        """
        mask = attention_math.combine_masks(
            attention_math.with_query_axis(attention_mask)
        )
        heads = self._query_dense(query)  # (B, T, N, H)
        key = attention_math.repeat_heads(_heads_first(key_value[0]), self._num_heads)
        scores = ops.einsum("btnh,bsnh->bnts", self._scale(heads), key)
        mask = None if mask is None else attention_math.expand_mask(mask, 4)
        return attention_math.masked_softmax(scores, mask)

    def step(self, query, cache, index, attention_mask=None):
        """Attends causally from new tokens to themselves and those before.

        Args:
            query: float tensor of shape `(B, T, D)`, the tokens at positions `index`
                to `index + T - 1`: one in a step, or all of a prompt.
            cache: what `init_cache` or the step before returned.
            index: `int` or `int32` scalar tensor. `index + T` is at most L.
            attention_mask: `bool` tensor of shape `(B, L)` or `(B, T, L)` over the
                cache. True means that a token may be attended to.

        Returns:
            Tuple of a float tensor of shape `(B, T, D)` and the cache with the new
            keys and values in it. Under XLA the cache is written in place.

        Raises:
            ValueError: if the query is not of rank 3 or does not fit into the cache.
                An `index` that compiled code computes cannot be checked; the last
                places of the cache are then overwritten.
        """
        _check_room(query, cache, index)
        key, value = (
            ops.slice_update(old, (0, 0, index, 0), ops.cast(new, old.dtype))
            for old, new in zip(cache, self.project_key_value(query), strict=True)
        )
        mask = attention_math.combine_masks(
            attention_math.with_query_axis(attention_mask),
            self._compute_step_mask(ops.shape(query)[1], ops.shape(key)[2], index),
        )
        return self._attend(query, key, value, mask), (key, value)

    def _attend(self, query, key, value, mask, training=None):
        heads = self._query_dense(query)  # (B, T, N, H)
        few = query.shape[1] is not None and query.shape[1] <= _FEW_TOKENS
        needs_all = self._overrides_attention() or drops(self._dropout_layer, training)
        if few and not needs_all:
            heads = self._few_token_attention(heads, key, value, mask)
        else:
            heads, _ = self._compute_attention(
                heads, _heads_first(key), _heads_first(value), mask, training
            )
        return self._project_output(query, heads)

    def _overrides_attention(self):
        mine = MultiHeadAttention._compute_attention
        return type(self)._compute_attention is not mine

    def _project_output(self, query, heads):
        if self._use_gate:
            heads = ops.multiply(heads, self._gate_dense(query))
        return self._output_dense(heads)

    def compute_output_shape(self, query_shape, value_shape, key_shape=None):
        """The query's shape, with `output_shape` in place of the last axis."""
        check_key_shape(tuple(value_shape), key_shape)
        return (*query_shape[:-1], *(self._output_shape or query_shape[-1:]))

    def compute_output_spec(
        self, query, value, key=None, return_attention_scores=False, **kwargs
    ):
        """The output, and the weights if they are asked for."""
        key_shape = None if key is None else key.shape
        shape = self.compute_output_shape(query.shape, value.shape, key_shape)
        output = keras.KerasTensor(shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        rank = len(query.shape)
        axes = self._resolved_axes
        batch = [query.shape[i] for i in range(rank - 1) if i not in axes]
        attended = [x.shape[i] for x in (query, value) for i in axes]
        scores = (*batch, self._num_heads, *attended)
        return output, keras.KerasTensor(scores, dtype=self.compute_dtype)


def _heads_first(tensor):
    # (B, S, K, H) <-> (B, K, S, H)
    return ops.transpose(tensor, (0, 2, 1, 3))


def _check_room(query, cache, index):
    length, room = query.shape[1], cache[0].shape[2]
    known = None not in (length, room)
    start = index if isinstance(index, int) else 0
    if known and start + length > room:
        raise ValueError(
            f"Expected index + T to be at most the cache's length {room}. Received: "
            f"index={index}, query.shape={tuple(query.shape)}"
        )
