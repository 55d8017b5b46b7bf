"""Tokenised prompts, checked, and the part of them that one pass reads."""

import numpy as np
from keras import ops

from kftune.models.rounded_length import rounded_length

PROMPT = "prompt_token_ids"
ROW_LENGTHS = "row_lengths"  # int32 (B,): where a search ends each row


def with_prompt(task, inputs):
    """Checks tokenised prompts and cuts out what one pass has to read.

    Its length decides what is compiled, so it is one of few: the shortest prompt,
    rounded up to a power of two, unless it is nothing but start tokens. What is read
    beyond a row's prompt is overwritten before any token attends to it.

    Args:
        task: a `LanguageModel`.
        inputs: dict of tokenised inputs.

    Returns:
        The dict with one more entry.

    Raises:
        ValueError: if there is no row, if a row has no prompt or is not padded on the
            right, or if the rows are longer than the backbone's positions.
    """
    token_ids, mask = (
        _as_numpy(inputs[name])
        for name in (task.generated_name, task.generated_mask_name)
    )
    if not len(mask):
        raise ValueError("Expected at least one prompt. Received: none")
    length = mask.shape[1]
    lengths = mask.astype(bool).sum(axis=1)
    wrong = np.flatnonzero(
        (lengths == 0) | ((np.arange(length) < lengths[:, None]) != mask).any(axis=1)
    )
    if len(wrong):
        raise ValueError(
            "Expected prompts of at least one token, padded on the right. Received a "
            f"mask of {mask[wrong[0]].astype(int).tolist()} at index {wrong[0]}."
        )
    longest = task.backbone.max_positions
    if length > longest:
        raise ValueError(
            f"Expected max_length <= {longest}, the positions of "
            f"{type(task.backbone).__name__}. Received: {length}"
        )
    shortest = lengths.min()
    only_start = shortest <= task.num_start_tokens
    read = shortest if only_start else rounded_length(shortest, length)
    return {**inputs, PROMPT: token_ids[:, :read]}


def _as_numpy(x):
    return ops.convert_to_numpy(x) if ops.is_tensor(x) else np.asarray(x)
