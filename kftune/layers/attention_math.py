"""The mathematics of attention, as pure functions on `keras.ops`.

Letters: B batch, T target (query) length, S source (key) length, N query heads, K key
and value heads, G = N / K query heads a key head, H head size, V value head size. True
in a mask means "may attend".
"""

import string

import keras
from keras import ops


def causal_mask(query_length, key_length, start=0):
    """Returns which keys stand at or before each query.

    Args:
        query_length: `int`, T.
        key_length: `int`, S.
        start: `int` or `int32` scalar tensor. Position of the first query.

    Returns:
        `bool` tensor of shape `(1, T, S)`.
    """
    return _distance(query_length, key_length, start) >= 0


def sliding_window_mask(query_length, key_length, window, start=0):
    """Returns which keys stand less than `window` positions before or after a query.

    Args:
        query_length: `int`, T.
        key_length: `int`, S.
        window: `int`. 1 leaves each query its own position only.
        start: `int` or `int32` scalar tensor. Position of the first query.

    Returns:
        `bool` tensor of shape `(1, T, S)`.
    """
    return ops.absolute(_distance(query_length, key_length, start)) < window


def _distance(query_length, key_length, start):
    # How far each key lies behind each query, (1, T, S).
    queries = ops.arange(query_length, dtype="int32") + start
    keys = ops.arange(key_length, dtype="int32")
    return queries[None, :, None] - keys[None, None, :]


def combine_masks(*masks):
    """Returns the logical and of all masks that are not None, or None.

    Args:
        *masks: `bool` or number tensors whose shapes broadcast, or None.

    Returns:
        `bool` tensor, or None.
    """
    combined = None
    for mask in masks:
        if mask is not None:
            allowed = ops.cast(mask, "bool")
            combined = (
                allowed if combined is None else ops.logical_and(combined, allowed)
            )
    return combined


def with_query_axis(mask):
    """Makes a mask of keys one of queries and keys.

    Args:
        mask: tensor of shape `(B, S)`, one for all queries, or `(B, T, S)`, or None.

    Returns:
        Tensor of shape `(B, 1, S)` or `(B, T, S)`, or None.
    """
    return mask[:, None] if mask is not None and len(mask.shape) == 2 else mask


def expand_mask(mask, scores_rank, attention_rank=1):
    """Gives a mask the axes it lacks, so that it broadcasts against the scores.

    Args:
        mask: tensor whose last axes are those of the queries and of the keys.
        scores_rank: `int`. Rank of the scores, 4 for `(B, N, T, S)`.
        attention_rank: `int`. How many axes are attended over.

    Returns:
        Tensor of rank `scores_rank`. New axes of size 1 stand before the axes of the
        queries, where the heads are.
    """
    for _ in range(scores_rank - len(mask.shape)):
        mask = ops.expand_dims(mask, axis=-2 * attention_rank - 1)
    return mask


def masked_softmax(scores, mask=None, attention_rank=1):
    """Softmax over the keys, in float32 at least.

    Args:
        scores: float tensor, the keys in the last `attention_rank` axes.
        mask: `bool` tensor that broadcasts against `scores`, or None.
        attention_rank: `int`. How many axes are attended over.

    Returns:
        Float tensor like `scores`. A masked key has exactly 0; a query without any
        key has zeros, not NaN.
    """
    rank = len(scores.shape)
    axes = tuple(range(rank - attention_rank, rank))
    precise = ops.cast(scores, keras.backend.result_type(scores.dtype, "float32"))
    if mask is not None:
        # Half of the lowest float32, finite: a row of nothing else gives no NaN.
        precise = ops.where(mask, precise, -1.7e38)
    if rank > 4:  # TensorFlow's softmax takes five axes at most.
        total = ops.logsumexp(precise, axis=axes, keepdims=True)
        weights = ops.exp(precise - total)
    else:
        weights = ops.softmax(precise, axis=-1)
    if mask is not None:
        weights = ops.where(mask, weights, 0.0)
    return ops.cast(weights, scores.dtype)


def attention_equations(rank, attention_axes):
    """Returns the two einsum equations of attention over any axes.

    Args:
        rank: `int`. Rank of the projected query, heads and channels included.
        attention_axes: tuple of non-negative `int`. Axes that are attended over.

    Returns:
        Tuple of `str`: "query,key->scores" and "scores,value->output". Scores have
        the batch axes, heads, the axes of the queries and those of the keys.
    """
    query = string.ascii_lowercase[:rank]
    fresh = iter(string.ascii_lowercase[rank:])
    axes = range(rank)
    key = "".join(
        next(fresh) if axis in attention_axes else query[axis] for axis in axes
    )
    batch = "".join(query[axis] for axis in axes[:-1] if axis not in attention_axes)
    targets = "".join(query[axis] for axis in attention_axes)
    sources = "".join(key[axis] for axis in attention_axes)
    scores = batch + targets + sources
    return f"{query},{key}->{scores}", f"{scores},{key}->{query}"


def repeat_heads(tensor, num_heads):
    """Repeats each key or value head for the query heads that share it.

    Args:
        tensor: float tensor of shape `(..., K, H)`.
        num_heads: `int`, N, a multiple of K.

    Returns:
        Float tensor of shape `(..., N, H)`.
    """
    groups = num_heads // tensor.shape[-2]
    return tensor if groups == 1 else ops.repeat(tensor, groups, axis=-2)


def fused_attention(query, key, value, mask=None, *, is_causal=False, flash=False):
    """`keras.ops.dot_product_attention` with zeros for queries without a key.

    Args:
        query: float tensor of shape `(B, T, N, H)`, already scaled.
        key: float tensor of shape `(B, S, N, H)`.
        value: float tensor of shape `(B, S, N, V)`.
        mask: `bool` tensor of shape `(1 or B, 1 or N, 1 or T, S)`, or None.
        is_causal: `bool`. True lets a query attend to positions up to its own only.
        flash: `bool`. True demands the backend's flash kernel.

    Returns:
        Float tensor of shape `(B, T, N, V)`.
    """
    output = ops.dot_product_attention(
        query,
        key,
        value,
        mask=mask,
        scale=1.0,
        is_causal=is_causal,
        flash_attention=flash,
    )
    if mask is None:
        return output
    some = ops.transpose(ops.any(mask, axis=-1), (0, 2, 1))[..., None]
    return ops.where(some, output, ops.cast(0.0, output.dtype))


def few_token_attention(query, key, value, mask=None):
    """Attention of a few tokens to keys and values laid out as a cache has them.

    Tokens, and query heads that share a key head, are rows of one product, so that
    neither keys nor values are copied or laid out anew.

    Args:
        query: float tensor of shape `(B, T, N, H)`, already scaled.
        key: float tensor of shape `(B, K, S, H)`.
        value: float tensor of shape `(B, K, S, V)`.
        mask: `bool` tensor of shape `(1 or B, 1, 1 or T, S)`, or None.

    Returns:
        Float tensor of shape `(B, T, N, V)`.
    """
    batch, length, heads, size = ops.shape(query)
    key_heads, keys = key.shape[1], ops.shape(key)[2]
    by_head = ops.transpose(query, (0, 2, 1, 3))  # (B, N, T, H)
    rows = (batch, key_heads, heads // key_heads * length)
    scores = ops.einsum(
        "bkgh,bksh->bkgs", ops.reshape(by_head, (*rows, size)), key
    )  # (B, K, G·T, S)
    weights = masked_softmax(ops.reshape(scores, (batch, heads, length, keys)), mask)
    output = ops.einsum("bkgs,bksv->bkgv", ops.reshape(weights, (*rows, keys)), value)
    output = ops.reshape(output, (batch, heads, length, value.shape[-1]))
    return ops.transpose(output, (0, 2, 1, 3))
