"""All rules on which token may come next, in the order of transformers."""

import dataclasses

from keras import ops

from kftune.decoding import token_bans


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogitsRules:
    """Rules for the next token under the names that transformers uses.

    Attributes:
        repetition_penalty: `float`, see `BeamSearch`, as all others.
        no_repeat_ngram_size: `int`.
        bad_words_ids: list of lists of `int`.
        min_length: `int`.
        forced_bos_token_id: `int` or `None`.
        forced_eos_token_id: list of `int`.
        renormalize_logits: `bool`.

    Example:
    ```python
    rules = LogitsRules(no_repeat_ngram_size=3)
    log_probs = rules.apply(log_probs, rows, length, [0], row_lengths=64)
    ```
    """

    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    bad_words_ids: list | tuple = ()
    min_length: int = 0
    forced_bos_token_id: int | None = None
    forced_eos_token_id: list | tuple = ()
    renormalize_logits: bool = False

    @classmethod
    def from_settings(cls, settings, model):
        """Takes the rules out of the settings of a search.

        Args:
            settings: `BeamSettings`.
            model: `kftune.models.LanguageModel`, whose own bad words count if the
                settings name none.

        Returns:
            `LogitsRules`.
        """
        penalty = 1.0 if settings.penalises_logits else settings.repetition_penalty
        return cls(
            repetition_penalty=penalty,
            no_repeat_ngram_size=settings.no_repeat_ngram_size,
            bad_words_ids=bad_words(settings.bad_words_ids, model),
            min_length=settings.min_length,
            forced_bos_token_id=settings.forced_bos_token_id,
            forced_eos_token_id=settings.last_token_ids,
            renormalize_logits=settings.renormalize_logits,
        )

    def apply(self, log_probs, rows, length, stop_token_ids, row_lengths):
        """Applies the rules. Letters: B batch, W beams, T length, V vocabulary.

        Args:
            log_probs: float32 tensor `(B, W, V)`, of the next tokens.
            rows: `int32` tensor `(B, W, T)`.
            length: scalar `int32` tensor. How many places of the rows are filled.
            stop_token_ids: list of `int`.
            row_lengths: `int`, or `int32` tensor `(B, 1)`: where the rows end.

        Returns:
            Float32 tensor `(B, W, V)`.

        Raises:
            ValueError: if a rule names tokens that the vocabulary does not have.
        """
        self._check_ids(log_probs.shape[-1])
        if self.repetition_penalty != 1.0:
            log_probs = token_bans.penalise_repetition(
                log_probs, rows, length, self.repetition_penalty
            )
        if self.no_repeat_ngram_size:
            log_probs = token_bans.ban_repeated_ngrams(
                log_probs, rows, length, self.no_repeat_ngram_size
            )
        ends = [[token_id] for token_id in stop_token_ids]
        words = [list(word) for word in self.bad_words_ids if list(word) not in ends]
        if words:
            log_probs = token_bans.ban_words(log_probs, rows, length, words)
        if self.min_length and stop_token_ids:
            without_end = token_bans.ban_tokens(log_probs, stop_token_ids)
            log_probs = ops.where(length < self.min_length, without_end, log_probs)
        return self._forced(log_probs, row_lengths, length)

    def _forced(self, log_probs, row_lengths, length):
        if self.forced_bos_token_id is not None:
            forced = token_bans.force_tokens(log_probs, [self.forced_bos_token_id])
            log_probs = ops.where(ops.equal(length, 1), forced, log_probs)
        if self.forced_eos_token_id:
            forced = token_bans.force_tokens(log_probs, self.forced_eos_token_id)
            is_last = ops.reshape(ops.equal(length, row_lengths - 1), (-1, 1, 1))
            log_probs = ops.where(is_last, forced, log_probs)
        if self.renormalize_logits:
            log_probs = ops.log_softmax(log_probs, axis=-1)
        return log_probs

    def _check_ids(self, vocabulary_size):
        ids = {token_id for word in self.bad_words_ids for token_id in word}
        ids |= {*self.forced_eos_token_id, self.forced_bos_token_id} - {None}
        if unknown := sorted(i for i in ids if not 0 <= i < vocabulary_size):
            raise ValueError(
                f"Expected tokens below {vocabulary_size}, the size of the vocabulary, "
                "in bad_words_ids, forced_bos_token_id and forced_eos_token_id. "
                f"Received: {unknown}"
            )


def bad_words(bad_words_ids, model):
    """Gives the words that never occur, the model's own ones if none are named.

    Args:
        bad_words_ids: list of lists of `int`, or `None` for the model's.
        model: `kftune.models.LanguageModel`, with `decoding_settings` or without.

    Returns:
        List of lists of `int`.
    """
    if bad_words_ids is None and hasattr(model, "decoding_settings"):
        bad_words_ids = model.decoding_settings.bad_words_ids
    return bad_words_ids or []
