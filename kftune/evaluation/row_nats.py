"""How unlikely a language model finds the ends of rows of tokens."""

import keras
import numpy as np

from kftune.decoding.length_batches import length_batches
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
    nats = np.zeros(len(rows))
    lengths = [len(row) for row in rows]
    for indices, length, count in length_batches(lengths, longest, batch_tokens):
        # What fills up a batch is not kept.
        filled = [*indices, *indices[-1:] * (count - len(indices))]
        pad = task.preprocessor.tokenizer.pad_token_id
        token_ids, mask = padded([rows[index] for index in filled], length, pad)
        ends = mask.sum(axis=1, keepdims=True)
        first = ends - np.array([[scored[index]] for index in filled])
        is_scored = mask & (np.arange(length) >= first)
        logits = task.predict_on_batch({"token_ids": token_ids, "padding_mask": mask})
        losses = keras.ops.sparse_categorical_crossentropy(
            token_ids[:, 1:], logits[:, :-1].astype("float32"), from_logits=True
        )
        losses = keras.ops.convert_to_numpy(losses).astype("float64")
        sums = (losses * is_scored[:, 1:]).sum(axis=1)
        nats[indices] = sums[: len(indices)]
    return nats
