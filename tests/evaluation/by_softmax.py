"""Log-probabilities of answers, straight from all logits of one row."""

import numpy as np


def log_probability(task, prompt, answer):
    """Of an answer behind its prompt: a row without padding, NumPy's softmax."""
    tokenizer = task.preprocessor.tokenizer
    before = [tokenizer.start_token_id, *tokenizer(prompt)]
    row = np.array([[*before, *tokenizer(answer)]], "int32")
    inputs = {"token_ids": row, "padding_mask": np.ones_like(row)}
    logits = np.asarray(task.predict_on_batch(inputs), "float64")[0]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    ends = range(len(before), row.shape[1])
    return sum(np.log(probabilities[i - 1, row[0, i]]) for i in ends)
