"""Rules on which token may come next, as transformers has them.

Each takes and gives float32 log-probabilities `(B, W, V)` of the next tokens. Letters:
B batch, W beams, T length of a row, V vocabulary. Rows are `int32 (B, W, T)`, start
token included, of which the first `length` places are filled.
"""

import numpy as np
from keras import ops

_NEVER = float("-inf")


def penalise_repetition(log_probs, rows, length, penalty):
    """Makes what a row holds already less likely (Keskar et al., 2019).

    Args:
        log_probs: see the module.
        rows: see the module.
        length: scalar `int32` tensor.
        penalty: `float`. Multiplies the log-probabilities; above 1 avoids.

    Returns:
        See the module.

    Reference: Keskar et al., 2019, https://arxiv.org/abs/1909.05858
    """
    used = ops.broadcast_to(ops.arange(rows.shape[-1]) < length, ops.shape(rows))
    banned = _banned(ops.zeros_like(log_probs), rows, used) < 0
    return ops.where(banned, log_probs * penalty, log_probs)


def ban_repeated_ngrams(log_probs, rows, length, ngram_size):
    """Bans tokens that would complete an n-gram which the row holds already.

    Args:
        log_probs: see the module.
        rows: see the module.
        length: scalar `int32` tensor.
        ngram_size: `int`, n. 1 bans every token of the row.

    Returns:
        See the module.
    """
    total = rows.shape[-1]
    count = total - ngram_size + 1
    if count < 1:
        return log_probs
    complete = ops.arange(count) + ngram_size <= length
    same = ops.broadcast_to(complete, (*ops.shape(rows)[:2], count))
    for i in range(ngram_size - 1):
        place = ops.maximum(length - (ngram_size - 1) + i, 0)
        same = ops.logical_and(same, rows[:, :, i : i + count] == _at(rows, place))
    return _banned(log_probs, rows[:, :, ngram_size - 1 :], same)


def ban_words(log_probs, rows, length, words):
    """Bans sequences of tokens.

    Args:
        log_probs: see the module.
        rows: see the module.
        length: scalar `int32` tensor.
        words: list of lists of `int`.

    Returns:
        See the module.
    """
    singles = [word[0] for word in words if len(word) == 1]
    if singles:
        log_probs = ban_tokens(log_probs, singles)
    for prefix_length in sorted({len(word) - 1 for word in words} - {0}):
        group = np.array([w for w in words if len(w) - 1 == prefix_length], "int32")
        ends = ops.broadcast_to(
            ops.convert_to_tensor(group[:, -1]), (*ops.shape(rows)[:2], len(group))
        )
        same = ops.ones_like(ends, dtype="bool")
        for i in range(prefix_length):
            token = _at(rows, ops.maximum(length - prefix_length + i, 0))
            same = ops.logical_and(same, token == group[:, i])
        same = ops.logical_and(same, length >= prefix_length)
        log_probs = _banned(log_probs, ends, same)
    return log_probs


def ban_tokens(log_probs, token_ids):
    """Bans single tokens.

    Args:
        log_probs: see the module.
        token_ids: list of `int`.

    Returns:
        See the module.
    """
    return ops.where(_is_among(token_ids, log_probs.shape[-1]), _NEVER, log_probs)


def force_tokens(log_probs, token_ids):
    """Makes one of these tokens certain: 0 for them, nothing for others.

    Args:
        log_probs: see the module.
        token_ids: list of `int`.

    Returns:
        See the module.
    """
    forced = np.where(_is_among(token_ids, log_probs.shape[-1]), 0.0, _NEVER)
    forced = ops.convert_to_tensor(forced.astype("float32"))
    return ops.broadcast_to(forced, ops.shape(log_probs))


def _is_among(token_ids, vocabulary_size):
    is_among = np.zeros(vocabulary_size, "bool")
    is_among[list(token_ids)] = True
    return is_among


def _at(rows, place):
    """The tokens at one place of each row, (B, W, 1)."""
    batch, beams, _ = ops.shape(rows)
    return ops.slice(rows, (0, 0, place), (batch, beams, 1))


def _banned(log_probs, token_ids, which):
    """Without the tokens (B, W, M) where `which` is True."""
    shape = ops.shape(log_probs)
    vocabulary_size = shape[-1]
    row_starts = ops.arange(shape[0] * shape[1], dtype="int32") * vocabulary_size
    token_ids = ops.reshape(token_ids, (shape[0] * shape[1], -1))
    places = ops.reshape(row_starts[:, None] + token_ids, (-1, 1))
    penalties = ops.where(ops.reshape(which, (-1,)), _NEVER, 0.0)
    flat = ops.scatter_update(
        ops.reshape(log_probs, (-1,)),
        places,
        ops.cast(penalties, log_probs.dtype),
        reduction="add",
    )
    return ops.reshape(flat, shape)
