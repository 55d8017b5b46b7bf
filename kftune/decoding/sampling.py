"""Sampling with the rules and cut-offs of transformers."""

import keras
import keras_hub
from keras import ops

from kftune.decoding.check_settings import (
    are_words,
    check_settings,
    is_int,
    is_number,
)
from kftune.decoding.logits_rules import LogitsRules, bad_words


@keras.saving.register_keras_serializable(package="kftune")
class Sampling(keras_hub.samplers.Sampler):
    """Draws each token at random from what rules and cut-offs leave.

    Rules change the logits first: the repetition penalty, then n-grams, bad words and
    the least length. The rest are divided by the temperature; of their probabilities
    `top_k`, `top_p` and `min_p` cut the unlikely ones off, one after the other, each
    on what the one before has left. That is what transformers does under the same
    names. Letters: B batch, T length of a row, V vocabulary.

    Rules see the tokens of their own row alone. What is drawn depends on the other rows
    of a batch, as all are drawn with one stream of random numbers.

    Args:
        temperature: float, 0 or more. Below 1 favours likely tokens; 0 takes the
            likeliest, whatever the cut-offs.
        top_k: int. How many of the likeliest tokens may be drawn; 0 for all.
        top_p: float above 0, at most 1. As few of the likeliest tokens as have this
            share of the probability may be drawn (Holtzman et al. 2020,
            https://arxiv.org/abs/1904.09751); 1 for all.
        min_p: float from 0, below 1. Tokens of at least this multiple of the highest
            probability may be drawn (Nguyen et al. 2025,
            https://arxiv.org/abs/2407.01082); 0 for all.
        repetition_penalty: float above 0. What positive logits of tokens that the row
            has already are divided by, and negative ones multiplied (Keskar et al.
            2019, https://arxiv.org/abs/1909.05858). 1: no such rule.
        no_repeat_ngram_size: int, n. N-grams of tokens occur once at most in a row,
            prompt included. 0: no such rule.
        bad_words_ids: list of lists of int. Sequences of tokens that never occur.
            `None`: those of the task's `decoding_settings`, if it has some.
        min_length: int. No end before a row has so many tokens, prompt included.
        seed: int or `None`. Two samplers of one seed draw the same tokens on a backend,
            if `jit_compile` is the same; a second call of one goes on with others.

    Raises:
        ValueError: naming every argument that does not fit.

    Example:
    ```python
    task = kftune.models.GPT2CausalLM.from_preset("gpt2_tiny_en")
    sampler = Sampling(temperature=0.8, min_p=0.05, no_repeat_ngram_size=4, seed=1)
    task.compile(sampler=sampler)
    task.generate(["The film"], max_length=32)
    ```
    """

    def __init__(
        self,
        temperature=1.0,
        *,
        top_k=0,
        top_p=1.0,
        min_p=0.0,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        bad_words_ids=None,
        min_length=0,
        seed=None,
    ):
        super().__init__(temperature=temperature)
        self.top_k = top_k
        self.top_p = top_p
        self.min_p = min_p
        self.repetition_penalty = repetition_penalty
        self.no_repeat_ngram_size = no_repeat_ngram_size
        self.bad_words_ids = bad_words_ids
        self.min_length = min_length
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        check_settings("Sampling", self.get_config(), _EXPECTED)

    def __call__(self, next, *args, stop_token_ids=None, model=None, **kwargs):
        """See `keras_hub.samplers.Sampler`."""

        def next_by_rules(rows, cache, index):
            logits, hidden, cache = next(rows, cache, index)
            logits = self.apply_rules(logits, rows, index, stop_token_ids, model)
            return logits, hidden, cache

        return super().__call__(
            next_by_rules, *args, stop_token_ids=stop_token_ids, model=model, **kwargs
        )

    def apply_rules(self, logits, rows, length, stop_token_ids=None, model=None):
        """Applies the rules on which token may come next.

        Args:
            logits: float tensor `(B, V)`.
            rows: integer tensor `(B, T)`.
            length: scalar `int32` tensor. How many places of the rows are filled.
            stop_token_ids: sequence of int or `None`.
            model: `kftune.models.LanguageModel`, for its bad words.

        Returns:
            Float32 tensor `(B, V)`.
        """
        rules = LogitsRules(
            repetition_penalty=self.repetition_penalty,
            no_repeat_ngram_size=self.no_repeat_ngram_size,
            bad_words_ids=bad_words(self.bad_words_ids, model),
            min_length=self.min_length,
        )
        logits = rules.apply(
            ops.cast(logits, "float32")[:, None],
            ops.cast(rows, "int32")[:, None],
            length,
            list(stop_token_ids or ()),
            row_lengths=rows.shape[-1],
        )
        return logits[:, 0]

    def compute_probabilities(self, logits):
        """Gives the probabilities at the temperature.

        Args:
            logits: float tensor `(B, V)`.

        Returns:
            Float32 tensor `(B, V)`.
        """
        logits = ops.cast(logits, "float32")
        # Greedy search has no temperature, but the same order of tokens.
        return ops.softmax(logits / (self.temperature or 1.0), axis=-1)

    def get_next_token(self, probabilities):
        """Draws a token for each row.

        Args:
            probabilities: float32 tensor `(B, V)`.

        Returns:
            `int32` tensor `(B,)`.
        """
        if self.temperature == 0:
            return ops.cast(ops.argmax(probabilities, axis=-1), "int32")
        tokens = None
        if self.top_k or self.top_p < 1:
            count = probabilities.shape[-1]
            count = min(self.top_k or count, count)
            probabilities, tokens = ops.top_k(probabilities, count)
            probabilities = self._within_top_p(probabilities)
        least = self.min_p * ops.max(probabilities, axis=-1, keepdims=True)
        probabilities = ops.where(probabilities >= least, probabilities, 0.0)
        drawn = keras.random.categorical(
            ops.log(probabilities), 1, dtype="int32", seed=self.seed_generator
        )
        if tokens is not None:
            drawn = ops.take_along_axis(tokens, drawn, axis=-1)
        return ops.cast(drawn[:, 0], "int32")

    def get_config(self):
        """The constructor's arguments."""
        return {
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "min_p": self.min_p,
            "repetition_penalty": self.repetition_penalty,
            "no_repeat_ngram_size": self.no_repeat_ngram_size,
            "bad_words_ids": self.bad_words_ids,
            "min_length": self.min_length,
            "seed": self.seed,
        }

    def _within_top_p(self, probabilities):
        """Sorted probabilities, 0 behind the first that together have `top_p`."""
        if self.top_p == 1:
            return probabilities
        sums = ops.cumsum(probabilities, axis=-1)
        before = (sums - probabilities) / sums[:, -1:]
        return ops.where(before < self.top_p, probabilities, 0.0)


_EXPECTED = {
    "temperature": (lambda x: is_number(x) and x >= 0, "a number >= 0"),
    "top_k": (lambda x: is_int(x, 0), "an int >= 0"),
    "top_p": (lambda x: is_number(x) and 0 < x <= 1, "a number above 0, 1 at most"),
    "min_p": (lambda x: is_number(x) and 0 <= x < 1, "a number from 0 to below 1"),
    "repetition_penalty": (lambda x: is_number(x) and x > 0, "a number > 0"),
    "no_repeat_ngram_size": (lambda x: is_int(x, 0), "an int >= 0"),
    "min_length": (lambda x: is_int(x, 0), "an int >= 0"),
    "bad_words_ids": (
        lambda x: x is None or are_words(x),
        "a list of lists of ids >= 0, none of them empty",
    ),
}
