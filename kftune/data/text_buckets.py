"""Batches of texts of about one length, in a few fixed shapes, for language models."""

import numpy as np

from kftune.data.length_bucketed import LengthBucketed
from kftune.data.packed_texts import packed_texts
from kftune.error_text import first_few


class TextBuckets(LengthBucketed):
    """Tokenised texts in batches of a few fixed lengths, for causal language models.

    `LengthBucketed`, whose batches are what `GPT2CausalLMPreprocessor` makes of the
    texts: `(x, y, sample_weight)`; `x` holds `"token_ids"`, int32 of shape `(B, T)`,
    and `"padding_mask"`, bool, True where a real token stands; `y`, int32 `(B, T)`, are
    the next tokens, and `sample_weight`, bool `(B, T)`, is True where one follows that
    is to be learnt. A row of T + 1 tokens gives T.

    With `pack_to` several texts share a row, whole, and there is nearly no padding. `x`
    then holds `"segment_ids"`, int32 `(B, T)`, too: 1 for the first text of a row, 2
    for the next, 0 for padding; `GPT2CausalLM` keeps the texts apart by them. The same
    texts share a row in every epoch.

    Args:
        rows: sequence of N one-dimensional integer arrays, of two tokens or more, start
            and end tokens among them.
        weights: sequence of N `bool` arrays of the same lengths, True for a token that
            is to be learnt, such as those of an answer; `None`: all are.
        pack_to: `int` or `None`. T of all batches, in place of `boundaries`.
        **options: of `LengthBucketed`: `batch_size` or `max_tokens`, `boundaries` or
            `max_buckets`, of the lengths T; `shuffle`, `seed`, `drop_remainder` and
            `pad_token_id`.

    Raises:
        ValueError: if a row is too short or no token is to be learnt, if weights are
            not as many and as long as the rows, or as in `LengthBucketed`.

    Example:
    ```python
    rows = preprocessor.tokenize_rows(["A treat.", "A bore."])
    task.fit(kftune.data.TextBuckets(rows, batch_size=2), epochs=3, shuffle=False)

    rows, weights = preprocessor.tokenize_rows(["Good or bad? A treat."], [" Good."])
    task.fit(kftune.data.TextBuckets(rows, weights, batch_size=1), shuffle=False)
    ```
    """

    def __init__(self, rows, weights=None, *, pack_to=None, **options):
        rows = [np.asarray(row, "int32") for row in rows]
        if weights is None:
            weights = [np.ones(len(row), bool) for row in rows]
        weights = [np.asarray(weight, bool) for weight in weights]
        _check(rows, weights)
        columns = {
            "token_ids": [row[:-1] for row in rows],
            "next_token": [row[1:] for row in rows],
            "sample_weight": [weight[1:] for weight in weights],
        }
        if pack_to is not None:
            columns = _packed(columns, pack_to)
            options = {**options, "boundaries": [pack_to]}
        super().__init__(columns, **options)

    def build_batch(self, plan):
        """The texts of a batch, padded, with their next tokens."""
        (x,) = super().build_batch(plan)
        sample_weight = x.pop("sample_weight").astype(bool)
        return x, x.pop("next_token"), sample_weight


def _packed(columns, length):
    """Columns of rows that hold several texts, and the numbers of these."""
    lengths = np.array([len(row) for row in columns["token_ids"]])
    places = packed_texts(lengths.tolist(), length)
    packed = {
        name: [np.concatenate([rows[text] for text in texts]) for texts in places]
        for name, rows in columns.items()
    }
    packed["segment_ids"] = [
        np.repeat(np.arange(1, len(texts) + 1), lengths[texts]) for texts in places
    ]
    return packed


def _check(rows, weights):
    """Raises for rows that predict nothing, and for weights of other lengths."""
    short = [i for i, row in enumerate(rows) if len(row) < 2]
    if short:
        raise ValueError(
            "Expected rows of at least two tokens, one and one to predict. Received "
            f"fewer in rows {first_few(short, show=str)}. Drop them first, or let "
            "preprocessor.add_start_token and add_end_token be True."
        )
    if len(weights) != len(rows):
        raise ValueError(
            f"Expected weights for {len(rows)} rows. Received: {len(weights)}"
        )
    pairs = enumerate(zip(rows, weights, strict=True))
    wrong = [i for i, (row, weight) in pairs if len(row) != len(weight)]
    if wrong:
        raise ValueError(
            "Expected weights as long as the rows. Received other lengths in rows "
            f"{first_few(wrong, show=str)}"
        )
    if rows and not any(weight[1:].any() for weight in weights):
        raise ValueError(
            "Expected tokens to learn, with a weight of True, behind the first one of "
            f"a row. Received none in {len(rows)} rows"
        )
