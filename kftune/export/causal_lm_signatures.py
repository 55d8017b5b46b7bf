"""What the SavedModel of a language model answers."""

import tensorflow as tf

from kftune.export.graph_rows import (
    cut_to_longest,
    keep_last,
    keep_tokens,
    sum_log_probs,
    text_input,
    valid_utf8,
    with_first,
)
from kftune.export.row_sampler import RowSampler, row_sampler_settings
from kftune.models.n_best import best_of, own_stop_token_ids
from kftune.models.prompts import PROMPT

_OPTIONS = {
    "max_new_tokens": tf.int32,
    "temperature": tf.float32,
    "top_k": tf.int32,
    "top_p": tf.float32,
    "seed": tf.int64,
}


class CausalLMSignatures:
    """Functions from prompts to what follows them, and to log-probabilities.

    A prompt that leaves no room in a row loses its beginning, so that a quarter of the
    row is free. Letters: B batch, T the preprocessor's length.

    Args:
        task: `kftune.models.GPT2CausalLM` with a preprocessor.
        jit_compile: `bool`. Whether XLA compiles the model.

    Raises:
        ValueError: if the task's sampler cannot be exported.

    Example:
    ```python
    signatures = CausalLMSignatures(task).functions()
    signatures["serving_default"](tf.constant(["The film"]))["completion"]
    ```
    """

    kind = "causal_lm"

    def __init__(self, task, *, jit_compile=False):
        self._task = task
        self._jit_compile = jit_compile
        self._length = task.preprocessor.sequence_length
        self._settings = row_sampler_settings(task.sampler)

    def functions(self):
        """Makes the signatures.

        Returns:
            Dict of `tf.function` by name.
        """
        text = [text_input()]
        options = [tf.TensorSpec([None], x, name) for name, x in _OPTIONS.items()]
        return {
            "serving_default": tf.function(self.complete, input_signature=text),
            "generate": tf.function(self.generate, input_signature=[*text, *options]),
            "score": tf.function(self.score, input_signature=text),
        }

    def complete(self, text):
        """Goes on with prompts as the task's sampler does; by seed 0 if it samples.

        Args:
            text: string tensor `(B,)`.

        Returns:
            Dict of `completion`, string `(B,)`, without the prompts.
        """
        if self._settings is None:
            return self._completed(self._prompts(text), self._task.sampler)
        rows = tf.shape(text)
        filled = {
            name: tf.cast(tf.fill(rows, value), _OPTIONS[name])
            for name, value in {**self._settings, "seed": 0}.items()
        }
        max_new_tokens = tf.fill(rows, self._length)
        return self.generate(text, max_new_tokens, **filled)

    def generate(self, text, max_new_tokens, temperature, top_k, top_p, seed):  # noqa: PLR0917
        """Goes on with prompts, each by its own options; see `RowSampler`.

        Args:
            text: string tensor `(B,)`.
            max_new_tokens: `int32` tensor `(B,)`, at least 1.
            temperature: float32 tensor `(B,)`.
            top_k: `int32` tensor `(B,)`.
            top_p: float32 tensor `(B,)`.
            seed: `int64` tensor `(B,)`.

        Returns:
            Dict of `completion`, string `(B,)`, without the prompts.
        """
        inputs = self._prompts(text)
        prompt_lengths = tf.reduce_sum(
            tf.cast(inputs["padding_mask"], tf.int32), axis=1
        )
        new = tf.clip_by_value(max_new_tokens, 1, self._length)
        sampler = RowSampler(
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            row_lengths=prompt_lengths + new,
            end_token_id=self._task.preprocessor.tokenizer.end_token_id,
            length=self._length,
        )
        return self._completed(inputs, sampler)

    def score(self, text):
        """Gives the log-probability of texts.

        Args:
            text: string tensor `(B,)`.

        Returns:
            Dict of `log_prob`, float32 `(B,)`, in nats, the sum over all tokens but the
            first, and `num_tokens`, `int32` `(B,)`, how many they are.
        """
        x, labels, counts = self._task.preprocessor(valid_utf8(text))
        mask, token_ids, labels, counts = cut_to_longest(
            x["padding_mask"], x["token_ids"], labels, counts
        )
        x = {"token_ids": token_ids, "padding_mask": mask}
        return sum_log_probs(self._task(x, training=False), labels, counts)

    def _prompts(self, text):
        """Token ids and mask `(B, T)` of prompts, and what one pass reads of them."""
        preprocessor = self._task.preprocessor
        tokenizer = preprocessor.tokenizer
        rows = preprocessor.graph_tokenizer(tokenizer, valid_utf8(text))
        if preprocessor.add_start_token:
            rows = with_first(rows, tokenizer.start_token_id)
        is_too_long = rows.row_lengths() >= self._length
        kept = tf.where(is_too_long, self._length - self._length // 4, self._length)
        rows = keep_last(rows, kept)
        # An empty prompt would leave nothing to go on from.
        rows = with_first(rows, tokenizer.start_token_id, rows.row_lengths() == 0)
        lengths = tf.cast(rows.row_lengths(), tf.int32)
        token_ids = rows.to_tensor(tokenizer.pad_token_id, shape=(None, self._length))
        return {
            "token_ids": token_ids,
            "padding_mask": tf.sequence_mask(lengths, self._length),
            PROMPT: token_ids[:, : tf.reduce_min(lengths)],
        }

    def _completed(self, inputs, sampler):
        """The texts that a sampler adds to prompts."""
        theirs, self._task.sampler = self._task.sampler, sampler
        try:
            outputs = best_of(self._step(inputs))
        finally:
            self._task.sampler = theirs
        is_new = tf.logical_and(outputs["padding_mask"], ~inputs["padding_mask"])
        preprocessor = self._task.preprocessor
        tokenizer = preprocessor.tokenizer
        rows = keep_tokens(outputs["token_ids"], is_new, tokenizer.special_token_ids)
        texts = preprocessor.graph_tokenizer.detokenize(tokenizer, rows)
        return {"completion": valid_utf8(texts)}

    def _step(self, inputs):
        stops = own_stop_token_ids(self._task)

        def step(inputs):
            return self._task.generate_step(inputs, stops)

        if self._jit_compile:
            step = tf.function(step, jit_compile=True)
        return step(inputs)
