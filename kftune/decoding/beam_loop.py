"""One search: what stays the same in all its steps, and the step."""

from keras import ops

from kftune.decoding.candidates import (
    best_candidates,
    candidate_rows,
    follow_prompt,
    go_on,
)
from kftune.decoding.finished_beams import close_rows, finish, no_beams
from kftune.decoding.gather_beams import gather_beams
from kftune.decoding.logits_rules import LogitsRules
from kftune.decoding.running_beams import first_beams, with_own_place
from kftune.decoding.score_penalties import coverage_penalty, length_divisors
from kftune.decoding.token_bans import penalise_repetition


class BeamLoop:
    """Condition and body of the loop that `BeamSearch` runs.

    Letters: B batch, W beams, T length of a row, S source length, V vocabulary.

    Args:
        settings: `BeamSettings`.
        model: `kftune.models.LanguageModel`.
        token_ids: `int32` tensor `(B, T)`, the prompts.
        mask: `bool` tensor `(B, T)`, True for their tokens.
        state: see `LanguageModel.start_state`.
        stop_token_ids: list of `int`.
        row_lengths: `int32` tensor `(B,)` or `None` for T: where each row ends, though
            it has T places.

    Raises:
        TypeError: if the source's coverage counts and the model has no source.
    """

    def __init__(
        self,
        settings,
        model,
        token_ids,
        mask,
        state,
        *,
        stop_token_ids,
        row_lengths=None,
    ):
        self.settings = settings
        self.model = model
        self.token_ids = ops.cast(token_ids, "int32")
        self.mask = mask
        self.stop_token_ids = stop_token_ids
        self.longest = token_ids.shape[1]
        self.row_lengths = (
            self.longest
            if row_lengths is None
            else ops.cast(row_lengths, "int32")[:, None]
        )
        self.prompt_lengths = model.prompt_lengths(mask)
        self.divisors = length_divisors(
            self.longest, settings.length_penalty, settings.wu_length_penalty
        )
        self.rules = LogitsRules.from_settings(settings, model)
        self.source_mask = None
        if settings.wu_coverage_penalty:
            self.source_mask = _source_mask(model, state)

    def start(self, state, index):
        """Makes what the loop begins with.

        Args:
            state: see `LanguageModel.start_state`.
            index: scalar `int32` tensor, place of the first token to be found.

        Returns:
            Tuple of `RunningBeams`, `FinishedBeams`, the state and the index.
        """
        source_length = 1 if self.source_mask is None else self.source_mask.shape[1]
        beams = self.settings.num_beams
        running = first_beams(self.token_ids, beams, source_length)
        state = self.model.start_beams(state, beams)
        return running, no_beams(running), state, ops.cast(index, "int32")

    def is_open(self, running, finished, state, index):
        """Tells whether a row has no result yet."""
        return ops.any(finished.is_open)

    def step(self, running, finished, state, index):
        """Finds the next token of all beams of all rows."""
        batch = ops.shape(self.token_ids)[0]
        is_given, given = (
            ops.slice(x, (0, index), (batch, 1)) for x in (self.mask, self.token_ids)
        )
        running, log_probs, state = self._read(running, state, index - 1, is_given)
        candidates = best_candidates(
            self.rules.apply(
                log_probs,
                running.token_ids,
                index,
                self.stop_token_ids,
                self.row_lengths,
            ),
            running,
            self.stop_token_ids,
            index + 1 >= self.row_lengths,
        )
        candidates = follow_prompt(candidates, running, is_given, given)
        rows = candidate_rows(candidates, running, index)
        scores = self._penalised(candidates, running, index)
        running = go_on(candidates, rows, running)
        finished = finish(candidates, scores, rows, finished)
        finished = close_rows(
            finished,
            running,
            self._divisors(
                self.row_lengths - 1 if self.settings.looks_ahead else index
            ),
            stop_when_full=self.settings.stops_when_full,
        )
        return running, finished, state, index + 1

    def _read(self, running, state, position, is_given):
        """Lets the model read the tokens at a position.

        Returns:
            Tuple of `RunningBeams`, log-probabilities `(B, W, V)` of the tokens after
            them, and the new state.
        """
        running, beam_mask = with_own_place(running, position)
        batch, beams, _ = ops.shape(running.token_ids)
        latest = ops.slice(running.token_ids, (0, 0, position), (batch, beams, 1))
        options = {"beam_mask": beam_mask}
        weights = []
        if self.source_mask is not None:
            options["source_weights"] = weights
        hidden, state = self.model.decode_step(
            latest[:, :, 0], state, position, **options
        )
        if weights:
            # The last layer's, mean over heads; what is given covers nothing.
            covered = ops.cast(ops.mean(weights[-1], axis=1), "float32")
            covered = ops.where(is_given[:, :, None], 0.0, covered)
            running = running._replace(coverage=running.coverage + covered)
        logits = ops.cast(self.model.backbone.logits(hidden), "float32")
        if self.settings.penalises_logits:
            logits = penalise_repetition(
                logits,
                running.token_ids,
                position + 1,
                self.settings.repetition_penalty,
            )
        return running, ops.log_softmax(logits, axis=-1), state

    def _penalised(self, candidates, running, index):
        """Scores `(B, C)` of the candidates if they end at `index`."""
        scores = candidates.scores / self._divisors(index)
        if self.source_mask is None:
            return scores
        penalty = coverage_penalty(
            running.coverage, self.source_mask, self.settings.wu_coverage_penalty
        )
        return scores + gather_beams(penalty, candidates.parents)

    def _divisors(self, last):
        """Length penalties `(B, 1)` of rows whose last token stands there."""
        lengths = ops.maximum(last + 1 - self.prompt_lengths, 1)
        return ops.take(self.divisors, lengths)


def _source_mask(model, state):
    mask = model.source_mask(state)
    if mask is None:
        raise TypeError(
            "Expected an encoder-decoder for wu_coverage_penalty, whose source can be "
            f"covered. Received: {type(model).__name__}"
        )
    return mask
