"""The arguments, the configuration and the projections of an attention layer."""

import math

import keras

from kftune.layers.projection import (
    Projection,
    clone_initializer,
    projection_equation,
)


class AttentionProjections(keras.layers.Layer):
    """What `MultiHeadAttention` is made of, without what it computes.

    See `MultiHeadAttention` for the arguments.
    """

    def __init__(  # noqa: PLR0917 Keras's signature
        self,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=True,
        output_shape=None,
        attention_axes=None,
        sliding_window=None,
        flash_attention=None,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        use_gate=False,
        seed=None,
        num_key_value_heads=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        _check_positive("num_heads", num_heads)
        _check_positive("key_dim", key_dim)
        _check_positive("value_dim", value_dim, optional=True)
        _check_positive("sliding_window", sliding_window, optional=True)
        _check_positive("num_key_value_heads", num_key_value_heads, optional=True)
        _check_groups(num_heads, num_key_value_heads)
        self.supports_masking = True
        self._num_heads = num_heads
        self._num_key_value_heads = num_key_value_heads or num_heads
        self._key_dim = key_dim
        self._value_dim = value_dim or key_dim
        self._dropout = dropout
        self._use_bias = use_bias
        self._use_gate = use_gate
        self._output_shape = _as_output_shape(output_shape)
        self._attention_axes = _as_axes(attention_axes)
        self._sliding_window = sliding_window
        self._flash_attention_argument = flash_attention
        self._flash_attention = (
            keras.config.is_flash_attention_enabled()
            if flash_attention is None
            else flash_attention
        )
        if self._flash_attention and dropout > 0.0:
            raise ValueError(
                "Dropout is not supported when flash attention is enabled. Expected "
                "dropout=0.0, or flash_attention=None, which uses flash attention at "
                f"inference where it can. Received: dropout={dropout}, "
                f"flash_attention={flash_attention}"
            )
        self._kernel_initializer = keras.initializers.get(kernel_initializer)
        self._bias_initializer = keras.initializers.get(bias_initializer)
        self._kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self._bias_regularizer = keras.regularizers.get(bias_regularizer)
        self._activity_regularizer = keras.regularizers.get(activity_regularizer)
        self._kernel_constraint = keras.constraints.get(kernel_constraint)
        self._bias_constraint = keras.constraints.get(bias_constraint)
        self.seed = seed
        self._inverse_sqrt_key_dim = 1.0 / math.sqrt(float(key_dim))

    def build(self, query_shape, value_shape, key_shape=None):
        """Makes the projections.

        Args:
            query_shape: shape of the query, `(B, T, D)` or of higher rank.
            value_shape: shape of the value.
            key_shape: shape of the key. Default: `value_shape`.
        """
        key_shape = check_key_shape(value_shape, key_shape)
        rank = len(query_shape)
        self._resolve_attention_axes(rank)
        query_heads = (self._num_heads, self._key_dim)
        key_heads = (self._num_key_value_heads, self._key_dim)
        value_heads = (self._num_key_value_heads, self._value_dim)
        output_heads = (self._num_heads, self._value_dim)
        self._query_dense = self._make_projection("query", query_shape, 1, query_heads)
        self._key_dense = self._make_projection("key", key_shape, 1, key_heads)
        if self._use_gate:
            self._gate_dense = self._make_projection(
                "gate", query_shape, 1, output_heads, activation="sigmoid"
            )
        self._value_dense = self._make_projection("value", value_shape, 1, value_heads)
        self._output_dense = self._make_projection(
            "attention_output",
            (*query_shape[:-1], *output_heads),
            2,
            self._output_shape or (query_shape[-1],),
        )
        self._dropout_layer = keras.layers.Dropout(
            self._dropout, dtype=self.dtype_policy, seed=self.seed
        )

    def _make_projection(self, name, input_shape, input_axes, output_axes, **kwargs):
        rank = len(input_shape)
        equation, bias_axes = projection_equation(rank, input_axes, len(output_axes))
        projection = Projection(
            equation,
            output_shape=(*[None] * (rank - 1 - input_axes), *output_axes),
            bias_axes=bias_axes if self._use_bias else None,
            kernel_initializer=clone_initializer(self._kernel_initializer),
            bias_initializer=clone_initializer(self._bias_initializer),
            kernel_regularizer=self._kernel_regularizer,
            bias_regularizer=self._bias_regularizer,
            activity_regularizer=self._activity_regularizer,
            kernel_constraint=self._kernel_constraint,
            bias_constraint=self._bias_constraint,
            dtype=self.dtype_policy,
            name=name,
            **kwargs,
        )
        projection.build(tuple(input_shape))
        return projection

    def _resolve_attention_axes(self, rank):
        """Sets the non-negative axes attended over; `rank` is the query's."""
        axes = self._attention_axes or range(1, rank - 1)
        self._resolved_axes = tuple(axis % rank for axis in axes)

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "num_heads": self._num_heads,
            "key_dim": self._key_dim,
            "value_dim": self._value_dim,
            "dropout": self._dropout,
            "use_bias": self._use_bias,
            "output_shape": self._output_shape,
            "attention_axes": self._attention_axes,
            "sliding_window": self._sliding_window,
            "flash_attention": self._flash_attention_argument,
            "kernel_initializer": keras.initializers.serialize(
                self._kernel_initializer
            ),
            "bias_initializer": keras.initializers.serialize(self._bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(
                self._kernel_regularizer
            ),
            "bias_regularizer": keras.regularizers.serialize(self._bias_regularizer),
            "activity_regularizer": keras.regularizers.serialize(
                self._activity_regularizer
            ),
            "kernel_constraint": keras.constraints.serialize(self._kernel_constraint),
            "bias_constraint": keras.constraints.serialize(self._bias_constraint),
            "use_gate": self._use_gate,
            "seed": self.seed,
            "num_key_value_heads": self._num_key_value_heads,
        }

    @property
    def num_heads(self):
        """`int`. Number of query heads, N."""
        return self._num_heads

    @property
    def num_key_value_heads(self):
        """`int`. Number of key and value heads, K."""
        return self._num_key_value_heads

    @property
    def key_dim(self):
        """`int`. Size of a query and key head, H."""
        return self._key_dim

    @property
    def value_dim(self):
        """`int`. Size of a value head, V."""
        return self._value_dim

    @property
    def dropout(self):
        """`float`. Rate of dropout on the attention weights."""
        return self._dropout

    @property
    def use_bias(self):
        """`bool`. Whether the projections have a bias."""
        return self._use_bias

    @property
    def attention_axes(self):
        """Tuple of `int`, the axes attended over; as given until the layer is built."""
        return self._resolved_axes if self.built else self._attention_axes

    @property
    def query_dense(self):
        """The projection of the query."""
        return self._query_dense

    @property
    def key_dense(self):
        """The projection of the key."""
        return self._key_dense

    @property
    def value_dense(self):
        """The projection of the value."""
        return self._value_dense

    @property
    def output_dense(self):
        """The projection of the heads to the output."""
        return self._output_dense


def check_key_shape(value_shape, key_shape):
    """Returns the key's shape, that of the value if it is None.

    Raises:
        ValueError: if the shapes differ in an axis other than the first and the last.
    """
    if key_shape is None:
        return value_shape
    if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
        raise ValueError(
            "All dimensions of `value` and `key`, except the last one, must be equal. "
            f"Received: value_shape={value_shape} and key_shape={key_shape}"
        )
    return key_shape


def _check_positive(name, value, optional=False):
    if optional and value is None:
        return
    if not isinstance(value, int) or value <= 0:
        raise ValueError(
            f"Received an invalid value for argument `{name}`, expected a positive "
            f"integer{' or `None`' if optional else ''}. Received: {name}={value}"
        )


def _check_groups(num_heads, num_key_value_heads):
    if num_key_value_heads and num_heads % num_key_value_heads:
        raise ValueError(
            "Expected `num_key_value_heads` to divide `num_heads`. Received: "
            f"num_key_value_heads={num_key_value_heads}, num_heads={num_heads}"
        )


def _as_output_shape(output_shape):
    if not output_shape:
        return None
    if isinstance(output_shape, int):
        return (output_shape,)
    if not isinstance(output_shape, (list, tuple)):
        raise ValueError(
            f"Invalid `output_shape`: {output_shape}. Expected a tuple, a list or an "
            f"int. Received: output_shape={output_shape!r}"
        )
    return tuple(output_shape)


def _as_axes(attention_axes):
    if attention_axes is None:
        return None
    if isinstance(attention_axes, int):
        return (attention_axes,)
    if not isinstance(attention_axes, (list, tuple)):
        raise ValueError(
            "`attention_axes` must be an int, list, or tuple. "
            f"Received: attention_axes={attention_axes}"
        )
    return tuple(attention_axes)
