"""The beams that have ended."""

from typing import Any, NamedTuple

from keras import ops

from kftune.decoding.gather_beams import best_beams, gather_beams
from kftune.decoding.running_beams import UNLIKELY


class FinishedBeams(NamedTuple):
    """The best beams of each row that have ended.

    Letters: B batch, W beams, C candidates, T length of a row.

    Attributes:
        token_ids: `int32` tensor `(B, W, T)`.
        scores: float32 tensor `(B, W)`, penalties included, best first.
        is_real: `bool` tensor `(B, W)`. False: none has ended here yet.
        is_open: `bool` tensor `(B, 1)`. False: the row has its result.
    """

    token_ids: Any
    scores: Any
    is_real: Any
    is_open: Any


def no_beams(running):
    """Makes the finished beams before the first step.

    Args:
        running: `RunningBeams`.

    Returns:
        `FinishedBeams`.
    """
    return FinishedBeams(
        running.token_ids,
        ops.full_like(running.scores, UNLIKELY),
        ops.zeros_like(running.scores, dtype="bool"),
        ops.ones_like(running.scores[:, :1], dtype="bool"),
    )


def finish(candidates, scores, rows, finished):
    """Keeps the best of what had ended and what ends now.

    Only the first W candidates may end; the others are there to go on.

    Args:
        candidates: `Candidates`.
        scores: float32 tensor `(B, C)`, penalties included.
        rows: `int32` tensor `(B, C, T)`.
        finished: `FinishedBeams`.

    Returns:
        `FinishedBeams`.
    """
    beams = finished.scores.shape[1]
    count = candidates.ends.shape[1]
    ends = ops.logical_and(candidates.ends, ops.arange(count) < beams)
    for may_be_taken in (finished.is_open, ends):
        scores = scores + ops.where(may_be_taken, 0.0, UNLIKELY)
    scores = ops.concatenate([finished.scores, scores], axis=1)
    scores, chosen = best_beams(scores, beams)
    token_ids = ops.concatenate([finished.token_ids, rows], axis=1)
    is_real = ops.concatenate([finished.is_real, ends], axis=1)
    return FinishedBeams(
        gather_beams(token_ids, chosen),
        scores,
        gather_beams(is_real, chosen),
        finished.is_open,
    )


def close_rows(finished, running, divisors, *, stop_when_full):
    """Closes rows that no beam which runs will make better.

    Args:
        finished: `FinishedBeams`.
        running: `RunningBeams`.
        divisors: float32 tensor `(B, 1)`, length penalties in the best case.
        stop_when_full: `bool`. True: rows with W finished beams are closed, too.

    Returns:
        `FinishedBeams`.
    """
    best = running.scores[:, :1] / divisors
    worst = ops.min(finished.scores, axis=1, keepdims=True)
    worst = ops.where(finished.is_real, worst, UNLIKELY)
    may_be_better = ops.any(best > worst, axis=1, keepdims=True)
    is_open = ops.logical_and(finished.is_open, may_be_better)
    if stop_when_full:
        is_full = ops.all(finished.is_real, axis=1, keepdims=True)
        is_open = ops.logical_and(is_open, ops.logical_not(is_full))
    return finished._replace(is_open=is_open)


def best_rows(finished, running):
    """Gives the result, also for prompts that fill their rows: nothing ends there.

    Args:
        finished: `FinishedBeams`.
        running: `RunningBeams`.

    Returns:
        Tuple of `int32` token ids `(B, W, T)` and float32 scores `(B, W)`, best first.
    """
    some = ops.any(finished.is_real, axis=1, keepdims=True)
    token_ids = ops.where(some[:, :, None], finished.token_ids, running.token_ids)
    return token_ids, ops.where(some, finished.scores, running.scores)
