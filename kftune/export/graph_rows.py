"""Texts and rows of tokens inside the graph of a SavedModel."""

import numpy as np
import tensorflow as tf

_POWERS = 2 ** np.arange(31, dtype="int32")


def text_input(name="text"):
    """Describes an input of strings, one a row.

    Args:
        name: `str`.

    Returns:
        `tf.TensorSpec` of shape `(None,)`.
    """
    return tf.TensorSpec([None], tf.string, name=name)


def valid_utf8(texts):
    """Replaces what is not UTF-8 by U+FFFD.

    Args:
        texts: string tensor `(B,)`.

    Returns:
        String tensor `(B,)`.
    """
    return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")


def cut_to_longest(mask, *others, to_power_of_two=False):
    """Drops the columns that are padding in every row.

    Args:
        mask: integer or `bool` tensor `(B, T)`, true where a real token stands, on the
            left.
        *others: tensors `(B, T)` beside it, such as token ids.
        to_power_of_two: `bool`. True: leaves a power of two, so that XLA compiles few
            shapes.

    Returns:
        List of the mask and the others, `(B, L)`, L at least 1.
    """
    longest = tf.reduce_max(tf.reduce_sum(tf.cast(mask, tf.int32), axis=1))
    # Of an empty batch the maximum is the least int32.
    longest = tf.maximum(longest, 1)
    if to_power_of_two:
        longest = tf.reduce_min(tf.boolean_mask(_POWERS, longest <= _POWERS))
    return [x[:, :longest] for x in (mask, *others)]


def keep_tokens(token_ids, mask, dropped):
    """Leaves the tokens that are part of a text.

    Args:
        token_ids: `int32` tensor `(B, T)`.
        mask: `bool` tensor `(B, T)`, False where a token does not count.
        dropped: list of `int`, such as special tokens.

    Returns:
        `tf.RaggedTensor`, `int32` `(B, None)`.
    """
    is_dropped = tf.reduce_any(
        token_ids[..., None] == tf.constant(list(dropped), tf.int32), axis=-1
    )
    return tf.ragged.boolean_mask(token_ids, tf.logical_and(mask, ~is_dropped))


def with_first(rows, token_id, where=None):
    """Puts a token before rows.

    Args:
        rows: `tf.RaggedTensor`, `int32` `(B, None)`.
        token_id: `int`.
        where: `bool` tensor `(B,)`, or `None` for all rows.

    Returns:
        `tf.RaggedTensor`, `int32` `(B, None)`.
    """
    lengths = tf.ones_like(rows.row_lengths())
    if where is not None:
        lengths = tf.where(where, lengths, 0)
    first = tf.fill([tf.reduce_sum(lengths)], tf.constant(token_id, rows.dtype))
    return tf.concat([tf.RaggedTensor.from_row_lengths(first, lengths), rows], axis=1)


def keep_last(rows, count):
    """Drops the beginnings of rows that are too long.

    Args:
        rows: `tf.RaggedTensor`, `int32` `(B, None)`.
        count: integer tensor `(B,)`, how many tokens a row keeps at most.

    Returns:
        `tf.RaggedTensor`, `int32` `(B, None)`.
    """
    lengths = rows.row_lengths()
    first = tf.maximum(lengths - tf.cast(count, lengths.dtype), 0)
    places = tf.ragged.range(lengths)
    is_kept = places.values >= tf.gather(first, places.value_rowids())
    return tf.ragged.boolean_mask(rows, places.with_values(is_kept))


def sum_log_probs(logits, token_ids, mask):
    """Scores the tokens of rows.

    Args:
        logits: float tensor `(B, T, V)`.
        token_ids: `int32` tensor `(B, T)`, the tokens that they predict.
        mask: tensor `(B, T)`, true where a token counts.

    Returns:
        Dict of `log_prob`, float32 `(B,)`, the sum in nats, and `num_tokens`, `int32`
        `(B,)`.
    """
    # Not sparse_softmax_cross_entropy, which refuses ids in the padding.
    log_probs = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    log_probs = tf.gather(log_probs, token_ids, axis=2, batch_dims=2)
    mask = tf.cast(mask, tf.bool)
    return {
        "log_prob": tf.reduce_sum(tf.where(mask, log_probs, 0.0), axis=1),
        "num_tokens": tf.reduce_sum(tf.cast(mask, tf.int32), axis=1),
    }
