"""Which tokens may not come next, as in transformers; pure functions.

Each takes and gives float32 log-probabilities `(B, W, V)` of the next tokens. Letters:
B batch, W beams, T length of a row, V vocabulary. Rows are `int32 (B, W, T)`, start
token included, of which the first `length` places are filled.
"""

import numpy as np
from keras import ops

_NEVER = float("-inf")


def ban_tokens(log_probs, token_ids):
    """Bans single tokens.

    Args:
        log_probs: see the module.
        token_ids: list of `int`.

    Returns:
        See the module.
    """
    banned = ops.convert_to_tensor(_is_among(token_ids, log_probs.shape[-1]))
    return ops.where(banned, _NEVER, log_probs)


def force_tokens(log_probs, token_ids):
    """Makes these tokens certain, each with log-probability 0, and all others banned.

    Args:
        log_probs: see the module.
        token_ids: list of `int`.

    Returns:
        See the module.
    """
    forced = np.where(_is_among(token_ids, log_probs.shape[-1]), 0.0, _NEVER)
    forced = ops.convert_to_tensor(forced.astype("float32"))
    return ops.broadcast_to(forced, ops.shape(log_probs))


def ban_repeated_ngrams(log_probs, rows, length, ngram_size):
    """Bans tokens that would complete an n-gram which the row has already.

    Args:
        log_probs: see the module.
        rows: see the module.
        length: scalar `int32` tensor.
        ngram_size: `int`, n. 1 bans every token of the row.

    Returns:
        See the module.
    """
    count = rows.shape[-1] - ngram_size + 1
    if count < 1:
        return log_probs
    is_filled = ops.arange(count, dtype="int32") + ngram_size <= length
    same = ops.broadcast_to(is_filled, (*ops.shape(rows)[:2], count))
    for i in range(ngram_size - 1):
        latest = _token_at(rows, length - (ngram_size - 1) + i)
        same = ops.logical_and(same, rows[:, :, i : i + count] == latest)
    return _without(log_probs, rows[:, :, ngram_size - 1 :], same)


def ban_words(log_probs, rows, length, words):
    """Bans the last token of each word whose other tokens are the latest of the row.

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
    for size in sorted({len(word) for word in words} - {1}):
        group = np.array([word for word in words if len(word) == size], "int32")
        shape = (*ops.shape(rows)[:2], len(group))
        same = ops.broadcast_to(length >= size - 1, shape)
        for i in range(size - 1):
            latest = _token_at(rows, length - (size - 1) + i)
            same = ops.logical_and(same, latest == group[:, i])
        ends = ops.broadcast_to(ops.convert_to_tensor(group[:, -1]), shape)
        log_probs = _without(log_probs, ends, same)
    return log_probs


def penalise_repetition(log_probs, rows, length, penalty):
    """Makes tokens that a row has already less likely.

    Args:
        log_probs: see the module.
        rows: see the module.
        length: scalar `int32` tensor.
        penalty: `float`. Multiplies what is negative, and divides what is positive,
            which logits may be.

    Returns:
        See the module.

    Reference: Keskar et al., 2019, https://arxiv.org/abs/1909.05858
    """
    is_filled = ops.arange(rows.shape[-1], dtype="int32") < length
    is_filled = ops.broadcast_to(is_filled, ops.shape(rows))
    used = _without(ops.zeros_like(log_probs), rows, is_filled) < 0
    penalised = ops.where(log_probs < 0, log_probs * penalty, log_probs / penalty)
    return ops.where(used, penalised, log_probs)


def _is_among(token_ids, vocabulary_size):
    is_among = np.zeros(vocabulary_size, "bool")
    is_among[list(token_ids)] = True
    return is_among


def _token_at(rows, place):
    """The tokens at a place of each row, `(B, W, 1)`."""
    batch, beams, _ = ops.shape(rows)
    place = ops.maximum(ops.cast(place, "int32"), 0)
    return ops.slice(rows, (0, 0, place), (batch, beams, 1))


def _without(log_probs, token_ids, is_banned):
    """Bans the tokens `(B, W, M)` where it says so."""
    batch, beams, vocabulary_size = ops.shape(log_probs)
    starts = ops.arange(batch * beams, dtype="int32")[:, None] * vocabulary_size
    places = starts + ops.reshape(token_ids, (batch * beams, -1))
    penalties = ops.where(is_banned, _NEVER, 0.0)
    flat = ops.scatter_update(
        ops.reshape(log_probs, (-1,)),
        ops.reshape(places, (-1, 1)),
        ops.cast(ops.reshape(penalties, (-1,)), log_probs.dtype),
        reduction="add",
    )
    return ops.reshape(flat, (batch, beams, vocabulary_size))
