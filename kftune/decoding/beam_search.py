"""Beam search by the rules of transformers, as a sampler."""

import keras
import keras_hub
import numpy as np
from keras import ops

from kftune.decoding import beams, logits_rules


@keras.saving.register_keras_serializable(package="kftune")
class BeamSearch(keras_hub.samplers.Sampler):
    """Searches for the `num_beams` most likely texts."""

    gives_scores = True

    def __init__(self, num_beams=4, length_penalty=1.0, early_stopping=False):
        super().__init__()
        self.num_beams = num_beams
        self.length_penalty = length_penalty
        self.early_stopping = early_stopping

    def search(self, model, token_ids, mask, state, index, stop_token_ids=None):
        """Searches."""
        prompt_lengths = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
        divisors = self._divisors(token_ids.shape[1])
        running, finished = beams.start(token_ids, self.num_beams)
        state = model.start_beams(state, self.num_beams)

        def is_open(running, finished, state, index):
            going = finished.is_open
            if self._stops_when_full:
                going = ops.logical_and(
                    going, ops.logical_not(ops.all(finished.is_real, 1, keepdims=True))
                )
            return ops.any(going)

        def step(running, finished, state, index):
            running, log_probs, state = self._next(model, running, state, index)
            candidates = self._candidates(running, log_probs, index, stop_token_ids)
            candidates = beams.follow_prompt(
                candidates,
                running,
                mask[:, index][:, None],
                token_ids[:, index][:, None],
            )
            rows = beams.rows_of(candidates, running, index)
            running = beams.go_on(candidates, rows, running)
            lengths = ops.maximum(index + 1 - prompt_lengths, 1)
            scores = candidates.scores / ops.take(divisors, lengths)
            finished = beams.finish(
                candidates, scores, rows, finished, stop_when_full=self._stops_when_full
            )
            if self.early_stopping == "never" and self.length_penalty > 0:
                lengths = token_ids.shape[1] - prompt_lengths
            best = ops.take(divisors, ops.maximum(lengths, 1))
            is_open = beams.still_open(running, finished, best)
            return running, finished._replace(is_open=is_open), state, index + 1

        index = ops.cast(index, "int32")
        running, finished, _, _ = self.run_loop(
            is_open,
            step,
            model=model,
            loop_vars=(running, finished, state, index),
            maximum_iterations=token_ids.shape[1] - index,
        )
        return beams.result(running, finished)

    @property
    def _stops_when_full(self):
        return self.early_stopping is True or self.num_beams == 1

    def _divisors(self, longest):
        lengths = [max(n, 1) for n in range(longest + 1)]
        values = [n**self.length_penalty for n in lengths]
        return ops.convert_to_tensor(np.array(values, "float32"))

    def _next(self, model, running, state, index):
        """Log-probabilities (B, W, V) of the tokens at `index`."""
        batch, count, length = ops.shape(running.token_ids)
        own = ops.broadcast_to(
            ops.arange(count, dtype="int32")[None, :, None], (batch, count, 1)
        )
        ancestors = ops.slice_update(running.ancestors, (0, 0, index - 1), own)
        running = running._replace(ancestors=ancestors)
        previous = ops.slice(running.token_ids, (0, 0, index - 1), (batch, count, 1))
        places = ancestors[:, :, :, None] == ops.arange(count, dtype="int32")
        hidden, state = model.decode_step(
            previous[:, :, 0],
            state,
            index - 1,
            beam_mask=ops.reshape(places, (batch, count, length * count)),
        )
        logits = ops.cast(model.backbone.logits(hidden), "float32")
        return running, ops.log_softmax(logits, axis=-1), state

    def _candidates(self, running, log_probs, index, stop_token_ids):
        stops = list(stop_token_ids or ())
        count = max(2, 1 + len(stops)) * self.num_beams
        candidates = beams.best_candidates(log_probs, running.scores, count)
        last = index + 1 >= running.token_ids.shape[2]
        ends = ops.logical_or(candidates.ends, last)
        if stops:
            is_stop = candidates.token_ids[:, :, None] == ops.convert_to_tensor(stops)
            ends = ops.logical_or(ends, ops.any(is_stop, axis=-1))
        return candidates._replace(ends=ends)
