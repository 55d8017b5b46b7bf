"""What happens to the beams in a step of beam search; pure functions.

Letters: B batch, W beams, C candidates, T length of a row, V vocabulary.
"""

from typing import Any, NamedTuple

from keras import ops

# What transformers adds to the score of a beam that shall not be taken.
UNLIKELY = -1.0e9


class Running(NamedTuple):
    """The beams that go on.

    Attributes:
        token_ids: `int32` tensor `(B, W, T)`.
        scores: float32 tensor `(B, W)`, sums of log-probabilities, best first.
        ancestors: `int32` tensor `(B, W, T)`: whose place in the cache holds a
            position of the beam.
    """

    token_ids: Any
    scores: Any
    ancestors: Any


class Finished(NamedTuple):
    """The best beams that have ended.

    Attributes:
        token_ids: `int32` tensor `(B, W, T)`.
        scores: float32 tensor `(B, W)`, divided by the length penalty, best first.
        is_real: `bool` tensor `(B, W)`. False: none has ended here yet.
        is_open: `bool` tensor `(B, 1)`. False: no beam that runs will be better.
    """

    token_ids: Any
    scores: Any
    is_real: Any
    is_open: Any


class Candidates(NamedTuple):
    """The best continuations of all beams.

    Attributes:
        parents: `int32` tensor `(B, C)`, the beams that are continued.
        token_ids: `int32` tensor `(B, C)`, with what.
        scores: float32 tensor `(B, C)`, sums of log-probabilities, best first.
        ends: `bool` tensor `(B, C)`, whether the beam ends with this token.
    """

    parents: Any
    token_ids: Any
    scores: Any
    ends: Any


def start(token_ids, num_beams):
    """Beams before the first step.

    Args:
        token_ids: `int32` tensor `(B, T)`, the prompts.
        num_beams: `int`. W.

    Returns:
        Tuple of `Running` and `Finished`.
    """
    batch = ops.shape(token_ids)[0]
    rows = ops.repeat(token_ids[:, None], num_beams, axis=1)
    one = ops.concatenate([ops.zeros(1), ops.full((num_beams - 1,), UNLIKELY)])
    scores = ops.broadcast_to(ops.cast(one, "float32"), (batch, num_beams))
    running = Running(rows, scores, ops.zeros_like(rows))
    finished = Finished(
        rows,
        ops.full((batch, num_beams), UNLIKELY, dtype="float32"),
        ops.zeros((batch, num_beams), dtype="bool"),
        ops.ones((batch, 1), dtype="bool"),
    )
    return running, finished


def best_candidates(log_probs, scores, count):
    """Chooses among all continuations of all beams of a row.

    Args:
        log_probs: float32 tensor `(B, W, V)`.
        scores: float32 tensor `(B, W)`.
        count: `int`. C.

    Returns:
        `Candidates`, of which none ends.
    """
    batch, beams, vocabulary_size = ops.shape(log_probs)
    sums = ops.reshape(log_probs + scores[:, :, None], (batch, beams * vocabulary_size))
    scores, indices = ops.top_k(sums, count)
    indices = ops.cast(indices, "int32")
    return Candidates(
        indices // vocabulary_size,
        indices % vocabulary_size,
        scores,
        ops.zeros_like(indices, dtype="bool"),
    )


def follow_prompt(candidates, running, is_given, given):
    """Lets rows whose prompt goes on take its next token, at no cost.

    Args:
        candidates: `Candidates`.
        running: `Running`.
        is_given: `bool` tensor `(B, 1)`, True where the prompt has a token.
        given: `int32` tensor `(B, 1)`, this token.

    Returns:
        `Candidates`.
    """
    _, beams = ops.shape(running.scores)
    batch, count = ops.shape(candidates.scores)
    spare = ops.full((batch, count - beams), 2 * UNLIKELY, dtype="float32")
    own = ops.arange(count, dtype="int32") % beams
    return Candidates(
        ops.where(is_given, own, candidates.parents),
        ops.where(is_given, given, candidates.token_ids),
        ops.where(
            is_given,
            ops.concatenate([running.scores, spare], axis=1),
            candidates.scores,
        ),
        ops.logical_and(ops.logical_not(is_given), candidates.ends),
    )


def rows_of(candidates, running, index):
    """The rows that the candidates make.

    Args:
        candidates: `Candidates`.
        running: `Running`.
        index: scalar `int32` tensor, the place of the new tokens.

    Returns:
        `int32` tensor `(B, C, T)`.
    """
    rows = gather(running.token_ids, candidates.parents)
    tokens = ops.cast(candidates.token_ids[:, :, None], rows.dtype)
    return ops.slice_update(rows, (0, 0, index), tokens)


def go_on(candidates, rows, running):
    """Chooses the beams that go on: the best that have not ended.

    Args:
        candidates: `Candidates`.
        rows: `int32` tensor `(B, C, T)`.
        running: `Running`.

    Returns:
        `Running`.
    """
    beams = running.scores.shape[1]
    scores = candidates.scores + ops.cast(candidates.ends, "float32") * UNLIKELY
    scores, order = ops.top_k(scores, beams)
    parents = gather(candidates.parents, order)
    return Running(gather(rows, order), scores, gather(running.ancestors, parents))


def finish(candidates, scores, rows, finished, *, stop_when_full):
    """Keeps the best of what had ended and what ends now.

    Args:
        candidates: `Candidates`.
        scores: float32 tensor `(B, C)`, penalties included.
        rows: `int32` tensor `(B, C, T)`.
        finished: `Finished`.
        stop_when_full: `bool`. True: W finished beams are never replaced.

    Returns:
        `Finished`.
    """
    batch, beams = ops.shape(finished.scores)
    ends = ops.logical_and(
        candidates.ends, ops.arange(ops.shape(candidates.ends)[1]) < beams
    )
    taken = finished.is_open
    if stop_when_full:
        full = ops.all(finished.is_real, axis=1, keepdims=True)
        taken = ops.logical_and(taken, ops.logical_not(full))
    for condition in (taken, ends):
        scores = scores + ops.where(condition, 0.0, UNLIKELY)
    scores = ops.concatenate([finished.scores, scores], axis=1)
    scores, order = ops.top_k(scores, beams)
    return finished._replace(
        token_ids=gather(ops.concatenate([finished.token_ids, rows], axis=1), order),
        scores=scores,
        is_real=gather(ops.concatenate([finished.is_real, ends], axis=1), order),
    )


def still_open(running, finished, divisors):
    """Tells whether a beam that runs may still become one of the best.

    Args:
        running: `Running`.
        finished: `Finished`.
        divisors: float32 tensor `(B, 1)`, length penalties of the best case.

    Returns:
        `bool` tensor `(B, 1)`.
    """
    best = running.scores[:, :1] / divisors
    worst = ops.min(finished.scores, axis=1, keepdims=True)
    worst = ops.where(finished.is_real, worst, UNLIKELY)
    better = ops.any(best > worst, axis=1, keepdims=True)
    return ops.logical_and(finished.is_open, better)


def gather(x, indices):
    """Takes beams of each row.

    Args:
        x: tensor `(B, W)` or `(B, W, T)`.
        indices: `int32` tensor `(B, C)`.

    Returns:
        Tensor `(B, C)` or `(B, C, T)`.
    """
    batch, beams = ops.shape(x)[:2]
    starts = ops.arange(batch, dtype="int32")[:, None] * beams
    flat = ops.reshape(x, (batch * beams, *x.shape[2:]))
    return ops.take(flat, ops.cast(indices, "int32") + starts, axis=0)


def result(running, finished):
    """The best rows, also of prompts that fill their rows, so that nothing ended.

    Args:
        running: `Running`.
        finished: `Finished`.

    Returns:
        Tuple of `int32` token ids `(B, W, T)` and float32 scores `(B, W)`.
    """
    some = ops.any(finished.is_real, axis=1, keepdims=True)
    token_ids = ops.where(some[:, :, None], finished.token_ids, running.token_ids)
    return token_ids, ops.where(some, finished.scores, running.scores)
