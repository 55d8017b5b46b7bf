"""How unlikely a language model finds the ends of rows of tokens."""

import keras
import numpy as np

from kftune.decoding.length_batches import map_by_length
from kftune.models.token_rows import padded


def row_nats(task, rows, scored, longest, batch_tokens):
    """Computes the negative log-likelihood of the last tokens of each row.

    Args:
        task: `kftune.models.GPT2CausalLM` with a preprocessor.
        rows: list of N lists or arrays of int, token ids, none longer than `longest`.
        scored: list of N int, below the lengths of the rows: how many of the last
            tokens count.
        longest: int, the longest length to pad to.
        batch_tokens: int. Tokens of a batch at most, padding included.

    Returns:
        float64 array `(N,)`, in nats, from 0.
    """
    pad = task.preprocessor.tokenizer.pad_token_id

    def batch_nats(batch, length):
        token_ids, mask = padded([row for row, _ in batch], length, pad)
        ends = mask.sum(axis=1, keepdims=True)
        first = ends - np.array([[number] for _, number in batch])
        is_scored = mask & (np.arange(length) >= first)
        logits = task.predict_on_batch({"token_ids": token_ids, "padding_mask": mask})
        losses = keras.ops.sparse_categorical_crossentropy(
            token_ids[:, 1:], logits[:, :-1].astype("float32"), from_logits=True
        )
        losses = keras.ops.convert_to_numpy(losses).astype("float64")
        return (losses * is_scored[:, 1:]).sum(axis=1)

    pairs = list(zip(rows, scored, strict=True))
    lengths = [len(row) for row in rows]
    limits = {"limit": longest, "batch_tokens": batch_tokens}
    return np.array(map_by_length(batch_nats, pairs, lengths, **limits), "float64")
