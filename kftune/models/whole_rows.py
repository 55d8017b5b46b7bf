"""The rows that a language model generates for one batch, from their prompts on."""

from keras import ops

from kftune.models.n_best import SCORES, gives_scores
from kftune.models.prompts import PROMPT, ROW_LENGTHS


def whole_rows(task, inputs, stop_token_ids=None):
    """Generates rows to their ends, by the task's search or sampler.

    Args:
        task: `kftune.models.language_model.LanguageModel`.
        inputs: dict of tokenised inputs, see `LanguageModel.generate_step`.
        stop_token_ids: list of `int` or `None`.

    Returns:
        Dict, see `LanguageModel.generate_step`.
    """
    token_ids = inputs[task.generated_name]
    mask = ops.cast(inputs[task.generated_mask_name], "bool")
    state = task.start_state(inputs)
    hidden, state = task.decode_step(inputs.get(PROMPT, token_ids), state, 0)
    index = ops.min(ops.sum(ops.cast(mask, "int32"), axis=-1))
    stops = {"index": index, "stop_token_ids": stop_token_ids}
    if gives_scores(task.sampler):
        lengths = inputs.get(ROW_LENGTHS)
        token_ids, scores = task.sampler.search(
            task, token_ids, mask, state, row_lengths=lengths, **stops
        )
        mask = _before_stop(token_ids, mask[:, None], stop_token_ids)
        further = {SCORES: scores}
    else:
        token_ids = _sampled(task, token_ids, mask, state, hidden=hidden, **stops)
        mask, further = _before_stop(token_ids, mask, stop_token_ids), {}
    return {task.generated_name: token_ids, task.generated_mask_name: mask, **further}


def _sampled(task, token_ids, mask, state, *, hidden, index, stop_token_ids):
    """Rows of a KerasHub sampler."""

    def next_logits(row, state, index):
        previous = ops.slice(row, (0, index - 1), (ops.shape(row)[0], 1))
        hidden, state = task.decode_step(previous, state, index - 1)
        return task.next_token_logits(hidden)[:, 0], hidden[:, 0], state

    return task.sampler(
        next=next_logits,
        prompt=_without_stops(token_ids, mask, stop_token_ids),
        cache=state,
        index=index,
        mask=mask,
        stop_token_ids=stop_token_ids,
        hidden_states=_lengthened(hidden, ops.shape(token_ids)[1]),
        model=task,
    )


def _lengthened(hidden, length):
    """Pads states with zeros on the right."""
    missing = length - ops.shape(hidden)[1]
    return ops.pad(hidden, ((0, 0), (0, missing), (0, 0)))


def _without_stops(token_ids, mask, stop_token_ids):
    """Padding by a token that ends no row: KerasHub's samplers look at padding, too."""
    stops = set() if stop_token_ids is None else set(map(int, stop_token_ids))
    free = next(token_id for token_id in range(len(stops) + 1) if token_id not in stops)
    for token_id in sorted(stops):
        is_padding = ops.logical_and(ops.equal(token_ids, token_id), ~mask)
        token_ids = ops.where(is_padding, ops.cast(free, token_ids.dtype), token_ids)
    return token_ids


def _before_stop(token_ids, prompt_mask, stop_token_ids):
    """True up to and with the first stop token that is not of the prompt."""
    if stop_token_ids is None:
        return ops.ones_like(token_ids, dtype="bool")
    stops = ops.convert_to_tensor(list(stop_token_ids), dtype=token_ids.dtype)
    found = ops.any(token_ids[..., None] == stops, axis=-1)
    found = ops.cast(ops.logical_and(found, ops.logical_not(prompt_mask)), "int32")
    return (ops.cumsum(found, axis=-1) - found) == 0
