"""What the SavedModel of a translation model answers."""

import tensorflow as tf

from kftune.export.graph_languages import known_languages, rows_into
from kftune.export.graph_rows import (
    cut_to_longest,
    keep_tokens,
    sum_log_probs,
    text_input,
    valid_utf8,
)
from kftune.export.row_sampler import row_sampler_settings
from kftune.models.n_best import SCORES, gives_scores, own_stop_token_ids
from kftune.models.prompts import PROMPT, ROW_LENGTHS
from kftune.models.transformer.side_ends import side_ends
from kftune.models.transformer.target_language import into_language

_IDS, _MASK = "decoder_token_ids", "decoder_padding_mask"


class Seq2SeqSignatures:
    """Functions from sources to translations, the best of them, and scores.

    Sources over the preprocessor's length are cut. Letters: B batch, n beams,
    D hidden.

    Args:
        task: `kftune.models.TransformerSeq2SeqLM` with a preprocessor.
        target_language: `str` or `None`. Into which language `serving_default`
            translates, if the tokenizer knows several.
        jit_compile: `bool`. Whether XLA compiles the model.

    Attributes:
        target_language: the argument.

    Raises:
        ValueError: if the task's sampler leaves something to chance, or if the
            tokenizer does not know the language.

    Example:
    ```python
    signatures = Seq2SeqSignatures(task, target_language="de").functions()
    signatures["serving_default"](tf.constant(["Save the file."]))["translation"]
    ```
    """

    kind = "seq2seq"

    def __init__(self, task, *, target_language=None, jit_compile=False):
        self._task = task
        self.target_language = target_language
        self._jit_compile = jit_compile
        self._codes = known_languages(task.preprocessor.tokenizer)
        if row_sampler_settings(task.sampler) is not None:
            raise ValueError(
                "Expected a sampler that leaves nothing to chance for an "
                "encoder-decoder. Received: "
                f"{type(task.sampler).__name__}; call "
                "task.compile(sampler=kftune.decoding.BeamSearch()) or "
                'task.compile(sampler="greedy") before the export'
            )
        if target_language is not None and target_language not in self._codes:
            raise ValueError(
                f"Expected a target_language that the tokenizer knows: "
                f"{self._codes or 'no languages'}. Received: "
                f"{target_language!r}"
            )

    def functions(self):
        """Makes the signatures.

        Returns:
            Dict of `tf.function` by name; `n_best` is there if the sampler searches,
            and `translate` takes `target_language` if the tokenizer knows several.
        """
        text = [text_input()]
        options = [*text, tf.TensorSpec([None], tf.int32, name="max_length")]
        translate = self.translate
        if self._codes:
            options.append(text_input("target_language"))
            translate = self.translate_into
        functions = {
            "serving_default": tf.function(self.serve, input_signature=text),
            "translate": tf.function(translate, input_signature=options),
            "score": tf.function(
                self.score, input_signature=[*text, text_input("target")]
            ),
            "embed": tf.function(self.embed, input_signature=text),
        }
        if gives_scores(self._task.sampler):
            functions["n_best"] = tf.function(self.n_best, input_signature=text)
        return functions

    def serve(self, text):
        """Translates.

        Args:
            text: string tensor `(B,)`.

        Returns:
            Dict of `translation`, string `(B,)`.
        """
        return self._best(self._generated(self._rows(text)))

    def n_best(self, text):
        """Translates, and gives all that the search found.

        Args:
            text: string tensor `(B,)`.

        Returns:
            Dict of `translations`, string `(B, n)`, best first, and `scores`, float32
            `(B, n)`.
        """
        outputs = self._generated(self._rows(text))
        return {"translations": self._texts(outputs), "scores": outputs[SCORES]}

    def translate(self, text, max_length):
        """Translates each text with a length of its own.

        Args:
            text: string tensor `(B,)`.
            max_length: `int32` tensor `(B,)`, tokens of a translation at most, start
                tokens included.

        Returns:
            Dict of `translation`, string `(B,)`.
        """
        return self._best(self._generated(self._rows(text), max_length))

    def translate_into(self, text, max_length, target_language):
        """Translates each text into a language of its own.

        Args:
            text: string tensor `(B,)`.
            max_length: see `translate`.
            target_language: string tensor `(B,)`, codes such as `"de"`.

        Returns:
            Dict of `translation`, string `(B,)`.
        """
        rows = self._rows(text, target_language)
        return self._best(self._generated(rows, max_length))

    def score(self, text, target):
        """Gives the log-probability of translations.

        Args:
            text: string tensor `(B,)`.
            target: string tensor `(B,)`, a translation of each.

        Returns:
            Dict of `log_prob`, float32 `(B,)`, in nats, the sum over all tokens, end
            included, and `num_tokens`, `int32` `(B,)`, how many they are.
        """
        preprocessor, text = self._task.preprocessor, valid_utf8(text)
        with into_language(preprocessor, text, self.target_language) as told:
            x, labels, counts = preprocessor(told, valid_utf8(target))
        source = cut_to_longest(x["encoder_padding_mask"], x["encoder_token_ids"])
        mask, token_ids, labels, counts = cut_to_longest(
            x[_MASK], x[_IDS], labels, counts
        )
        names = ("encoder_padding_mask", "encoder_token_ids")
        x = {**dict(zip(names, source, strict=True)), _MASK: mask, _IDS: token_ids}
        return sum_log_probs(self._task(x, training=False), labels, counts)

    def embed(self, text):
        """Gives the mean of the encoder's states of each text.

        Args:
            text: string tensor `(B,)`.

        Returns:
            Dict of `embedding`, float32 `(B, D)`.
        """
        inputs = self._rows(text)
        mask = inputs["encoder_padding_mask"]
        states = self._task.backbone.encode(inputs["encoder_token_ids"], mask)
        weights = tf.cast(mask, tf.float32)[..., None]
        sums = tf.reduce_sum(tf.cast(states, tf.float32) * weights, axis=1)
        return {"embedding": sums / tf.reduce_sum(weights, axis=1)}

    def _rows(self, text, codes=None):
        """Tokenised sources and the beginnings of their translations."""
        preprocessor, text = self._task.preprocessor, valid_utf8(text)
        if codes is None:
            with into_language(preprocessor, text, self.target_language) as told:
                rows = preprocessor.generate_preprocess(told)
        else:
            rows = rows_into(preprocessor, text, codes)
        mask, token_ids = cut_to_longest(
            rows["encoder_padding_mask"],
            rows["encoder_token_ids"],
            to_power_of_two=self._jit_compile,
        )
        return {**rows, "encoder_token_ids": token_ids, "encoder_padding_mask": mask}

    def _generated(self, rows, max_length=None):
        """What the task's sampler finds; `(B, n, T)`, n is 1 without a search."""
        preprocessor = self._task.preprocessor
        starts, _ = side_ends(preprocessor.tokenizer, "target")
        stops = own_stop_token_ids(self._task)
        inputs = {**rows, PROMPT: rows[_IDS][:, : len(starts)]}
        if max_length is not None:
            longest = preprocessor.decoder_sequence_length
            lengths = tf.clip_by_value(max_length, len(starts) + 1, longest)
            inputs[ROW_LENGTHS] = lengths

        def step(inputs):
            return self._task.generate_step(inputs, stops)

        if self._jit_compile:
            step = tf.function(step, jit_compile=True)
        outputs = step(inputs)
        if SCORES in outputs:
            return outputs
        if max_length is not None:
            # Samplers that do not search fill rows up to their end.
            outputs[_MASK] &= tf.sequence_mask(lengths, tf.shape(outputs[_MASK])[1])
        return {name: rows[:, None] for name, rows in outputs.items()}

    def _texts(self, outputs):
        """Strings `(B, n)` of token ids `(B, n, T)`."""
        preprocessor = self._task.preprocessor
        tokenizer = preprocessor.tokenizer
        shape = tf.shape(outputs[_IDS])
        token_ids, mask = (
            tf.reshape(outputs[name], [-1, shape[2]]) for name in (_IDS, _MASK)
        )
        dropped = [*tokenizer.special_token_ids]
        for ids in side_ends(tokenizer, "target"):
            dropped += ids
        rows = keep_tokens(token_ids, tf.cast(mask, tf.bool), dropped)
        texts = preprocessor.graph_tokenizer.detokenize(tokenizer, rows)
        return tf.reshape(valid_utf8(texts), shape[:2])

    def _best(self, outputs):
        best = {name: rows[:, :1] for name, rows in outputs.items() if name != SCORES}
        return {"translation": self._texts(best)[:, 0]}
