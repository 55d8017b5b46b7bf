"""Translates many texts in batches of like length."""

import sys

from kftune.decoding.length_batches import map_by_length
from kftune.models.texts import list_of_texts
from kftune.models.tokenizers.marian_tokenizer import MarianTokenizer
from kftune.models.transformer.transformer_seq2seq_lm_preprocessor import (
    TransformerSeq2SeqLMPreprocessor,
)


def translate_texts(task, texts, *, batch_tokens=2048, on_batch=None, **options):
    """Generates for many texts, sorted by length inside; the order does not change.

    A batch holds sources that are padded to the same length, 32, 64, 128 and so on, and
    all batches of one length have as many rows, so that little is compiled. Texts over
    the preprocessor's `encoder_sequence_length` are cut; `source_lengths` tells which.

    Args:
        task: `kftune.models.TransformerSeq2SeqLM` with a preprocessor, compiled with
            the sampler to use.
        texts: sequence of N `str`.
        batch_tokens: `int`. Tokens of a batch's sources at most, padding included; but
            a batch has one row at least.
        on_batch: function, called after each batch with the number of texts that are
            done; or `None`.
        **options: passed to `task.generate`, such as `max_length`, `target_language`,
            `num_return_sequences` and `return_scores`.

    Returns:
        List of N, what `task.generate` gives for each text.

    Raises:
        TypeError: if it is one text.
        ValueError: if `batch_tokens` is less than 1.

    Example:
    ```python
    task = TransformerSeq2SeqLM.from_preset("runs/de")
    task.compile(sampler="greedy")
    outputs = translate_texts(task, test["source"], max_length=64)
    print(score_translations(outputs, test["target"]))
    ```
    """
    texts = list_of_texts(texts)
    lengths = source_lengths(task, texts, options.get("target_language"))
    limit = task.preprocessor.encoder_sequence_length
    return map_by_length(
        lambda batch, _: task.generate(batch, **options),
        texts,
        lengths,
        limit=limit,
        batch_tokens=batch_tokens,
        on_batch=on_batch,
    )


def source_lengths(task, texts, target_language=None):
    """Counts the tokens that whole sources have, also where `generate` cuts them.

    Args:
        task: `kftune.models.TransformerSeq2SeqLM` with a preprocessor.
        texts: sequence of N `str`.
        target_language: `str` or `None`, as for `generate`.

    Returns:
        List of N `int`, start and end tokens included.

    Example:
    ```python
    lengths = source_lengths(task, texts)
    limit = task.preprocessor.encoder_sequence_length
    cut = [text for text, n in zip(texts, lengths, strict=True) if n > limit]
    ```
    """
    tokenizer = task.preprocessor.tokenizer
    uncut = TransformerSeq2SeqLMPreprocessor(tokenizer, sys.maxsize)
    # Marian's models are told the language by a token before the source.
    tag = 1 if target_language and isinstance(tokenizer, MarianTokenizer) else 0
    return [len(row) + tag for row in uncut.tokenize_rows(list(texts), "source")]
