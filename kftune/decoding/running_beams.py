"""The beams that go on."""

from typing import Any, NamedTuple

from keras import ops

# The score of what shall not be taken, as in transformers.
UNLIKELY = -1.0e9


class RunningBeams(NamedTuple):
    """The beams of each row that have not ended.

    Letters: B batch, W beams, T length of a row, S source length.

    Attributes:
        token_ids: `int32` tensor `(B, W, T)`.
        scores: float32 tensor `(B, W)`, sums of log-probabilities, best first.
        ancestors: `int32` tensor `(B, W, T)`: which beam's place in the cache holds a
            position of this beam.
        coverage: float32 tensor `(B, W, S)`: how much attention each token of the
            source has got; `(B, W, 1)`, zeros, if nobody asks.
    """

    token_ids: Any
    scores: Any
    ancestors: Any
    coverage: Any


def first_beams(token_ids, num_beams, source_length=1):
    """Makes the beams of prompts. The first counts alone, as all are the same.

    Args:
        token_ids: `int32` tensor `(B, T)`, the prompts.
        num_beams: `int`. W.
        source_length: `int`. S.

    Returns:
        `RunningBeams`.
    """
    batch = ops.shape(token_ids)[0]
    rows = ops.repeat(ops.cast(token_ids, "int32")[:, None], num_beams, axis=1)
    is_first = ops.arange(num_beams)[None] == 0
    scores = ops.where(is_first, ops.zeros((batch, 1)), UNLIKELY)
    coverage = ops.zeros((batch, num_beams, source_length), dtype="float32")
    return RunningBeams(
        rows, ops.cast(scores, "float32"), ops.zeros_like(rows), coverage
    )


def with_own_place(running, position):
    """Notes that each beam has a place of its own in the cache at a position.

    Args:
        running: `RunningBeams`.
        position: scalar `int32` tensor.

    Returns:
        Tuple of `RunningBeams`, and a `bool` tensor `(B, W, T·W)`: True for the places
        of the cache that belong to the beam, up to this position.
    """
    batch, beams, length = ops.shape(running.token_ids)
    all_beams = ops.arange(beams, dtype="int32")
    own = ops.broadcast_to(all_beams[:, None], (batch, beams, 1))
    ancestors = ops.slice_update(running.ancestors, (0, 0, position), own)
    places = ancestors[:, :, :, None] == all_beams
    return (
        running._replace(ancestors=ancestors),
        ops.reshape(places, (batch, beams, length * beams)),
    )
