"""The likeliest tokens by the live task, to compare another runtime's with."""

import keras
import keras_hub

from kftune.models.n_best import best_of


def greedy_rows(task, inputs, stop_token_ids):
    """Lets a task generate greedily; the sampler that it was compiled with stays.

    Args:
        task: `GPT2CausalLM` or `TransformerSeq2SeqLM`, compiled.
        inputs: dict of tokenised prompts of B rows.
        stop_token_ids: list of `int`.

    Returns:
        List of B lists of `int`: the tokens after the prompt, up to and with the first
        stop token.
    """
    theirs = task.sampler, task.generate_function
    task.sampler, task.generate_function = keras_hub.samplers.GreedySampler(), None
    try:
        outputs = best_of(task.generate_rows(inputs, stop_token_ids))
    finally:
        task.sampler, task.generate_function = theirs
    token_ids, mask, prompt = map(
        keras.ops.convert_to_numpy,
        (
            outputs[task.generated_name],
            outputs[task.generated_mask_name],
            inputs[task.generated_mask_name],
        ),
    )
    is_new = mask.astype(bool) & ~prompt.astype(bool)
    return [row[new].tolist() for row, new in zip(token_ids, is_new, strict=True)]
