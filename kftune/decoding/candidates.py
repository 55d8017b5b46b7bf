"""The continuations of beams among which a step chooses."""

from typing import Any, NamedTuple

from keras import ops

from kftune.decoding.gather_beams import best_beams, gather_beams
from kftune.decoding.running_beams import UNLIKELY


class Candidates(NamedTuple):
    """The best continuations of all beams of a row. Letters: B batch, C candidates.

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


def best_candidates(log_probs, running, stop_token_ids, is_last):
    """Chooses the best of all continuations of all beams of a row.

    There are W candidates, and as many more for each stop token, but at least 2·W: so
    W beams can go on though others end.

    Args:
        log_probs: float32 tensor `(B, W, V)`.
        running: `RunningBeams`.
        stop_token_ids: list of `int`.
        is_last: `bool` tensor, scalar or `(B, 1)`. True: the rows are full then.

    Returns:
        `Candidates`.
    """
    batch, beams, vocabulary_size = ops.shape(log_probs)
    sums = ops.reshape(log_probs + running.scores[:, :, None], (batch, -1))
    scores, indices = best_beams(sums, max(2, 1 + len(stop_token_ids)) * beams)
    token_ids = indices % vocabulary_size
    ends = ops.broadcast_to(is_last, ops.shape(token_ids))
    for stop in stop_token_ids:
        ends = ops.logical_or(ends, token_ids == stop)
    return Candidates(indices // vocabulary_size, token_ids, scores, ends)


def follow_prompt(candidates, running, is_given, given):
    """Lets rows whose prompt goes on take its next token, which costs nothing.

    Args:
        candidates: `Candidates`.
        running: `RunningBeams`.
        is_given: `bool` tensor `(B, 1)`, True where the prompt has a token.
        given: `int32` tensor `(B, 1)`, this token.

    Returns:
        `Candidates`.
    """
    batch, count = ops.shape(candidates.scores)
    beams = running.scores.shape[1]
    spare = ops.full((batch, count - beams), 2 * UNLIKELY, dtype="float32")
    scores = ops.concatenate([running.scores, spare], axis=1)
    own = ops.arange(count, dtype="int32") % beams
    return Candidates(
        ops.where(is_given, own, candidates.parents),
        ops.where(is_given, given, candidates.token_ids),
        ops.where(is_given, scores, candidates.scores),
        ops.logical_and(ops.logical_not(is_given), candidates.ends),
    )


def candidate_rows(candidates, running, index):
    """Writes the rows that the candidates make.

    Args:
        candidates: `Candidates`.
        running: `RunningBeams`.
        index: scalar `int32` tensor, the place of the new tokens.

    Returns:
        `int32` tensor `(B, C, T)`.
    """
    rows = gather_beams(running.token_ids, candidates.parents)
    return ops.slice_update(rows, (0, 0, index), candidates.token_ids[:, :, None])


def go_on(candidates, rows, running):
    """Chooses the beams that go on: the best that have not ended.

    Args:
        candidates: `Candidates`.
        rows: `int32` tensor `(B, C, T)`.
        running: `RunningBeams`.

    Returns:
        `RunningBeams`.
    """
    scores = candidates.scores + ops.cast(candidates.ends, "float32") * UNLIKELY
    scores, chosen = best_beams(scores, running.scores.shape[1])
    parents = gather_beams(candidates.parents, chosen)
    return running._replace(
        token_ids=gather_beams(rows, chosen),
        scores=scores,
        ancestors=gather_beams(running.ancestors, parents),
        coverage=gather_beams(running.coverage, parents),
    )
