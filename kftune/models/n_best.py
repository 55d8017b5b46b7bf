"""Several texts for an input, with scores, from samplers that search."""

import numpy as np
import tensorflow as tf
from keras import ops

SCORES = "scores"


def gives_scores(sampler):
    """Tells whether a sampler is a search that gives several scored rows.

    Args:
        sampler: `keras_hub.samplers.Sampler`.

    Returns:
        `bool`.
    """
    return getattr(sampler, "gives_scores", False)


def check_n_best(sampler, count):
    """Checks that a sampler gives so many texts for an input.

    Args:
        sampler: `keras_hub.samplers.Sampler`.
        count: `int`.

    Raises:
        TypeError: if the sampler gives no scores.
        ValueError: if it gives fewer texts, or if the count is no positive `int`.
    """
    if not gives_scores(sampler):
        raise TypeError(
            "Expected a sampler that gives scores for num_return_sequences and "
            "return_scores: task.compile(sampler=kftune.decoding.BeamSearch(...)). "
            f"Received: {type(sampler).__name__}"
        )
    if not isinstance(count, int) or not 1 <= count <= sampler.num_beams:
        raise ValueError(
            "Expected num_return_sequences from 1 to num_beams="
            f"{sampler.num_beams}. Received: {count!r}"
        )


def best_of(outputs):
    """Takes the best row of each input.

    Args:
        outputs: dict as `LanguageModel.generate_step` gives it.

    Returns:
        Dict of token ids and mask, `(B, T)`.
    """
    if SCORES not in outputs:
        return outputs
    return {name: rows[:, 0] for name, rows in outputs.items() if name != SCORES}


def n_best(task, inputs, count, *, max_length, stop_token_ids, strip_prompt):
    """Generates the best texts for each input; see `LanguageModel.generate`.

    Args:
        task: `LanguageModel` with a sampler that passed `check_n_best`.
        inputs: as for `generate`, and so are the others.
        count: `int`, n.
        max_length: `int` or `None`.
        stop_token_ids: `"auto"`, sequence of `int`, or `None`.
        strip_prompt: `bool`.

    Returns:
        List of B lists of n tuples `(text, score)`, one such list for one input, or a
        dict of arrays without a preprocessor.

    Raises:
        ValueError: if `stop_token_ids="auto"` comes to a task without a preprocessor.
    """
    if isinstance(stop_token_ids, str):
        stop_token_ids = own_stop_token_ids(task)
    is_dataset = isinstance(inputs, tf.data.Dataset)
    batches = inputs.as_numpy_iterator() if is_dataset else [inputs]
    if task.preprocessor is None:
        parts = [_arrays(task, batch, count, stop_token_ids) for batch in batches]
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    pairs, is_one = [], False
    for batch in batches:
        texts, is_one = _several(batch)
        given = task.preprocessor.generate_preprocess(texts, sequence_length=max_length)
        outputs = _arrays(task, given, count, stop_token_ids)
        if strip_prompt:
            prompts = given[task.generated_mask_name][:, None]
            outputs[task.generated_mask_name] &= ~np.asarray(prompts, "bool")
        pairs += _pairs(task, outputs)
    return pairs[0] if is_one and not is_dataset else pairs


def as_stop_token_ids(stop_token_ids):
    """Gives stop tokens as what can be compared and hashed, in place of arrays.

    Args:
        stop_token_ids: `"auto"`, sequence or array of `int`, or `None`.

    Returns:
        `"auto"`, list of `int`, or `None`.
    """
    if stop_token_ids is None or isinstance(stop_token_ids, str):
        return stop_token_ids
    return [int(number) for number in stop_token_ids]


def own_stop_token_ids(task):
    """Gives the tokens that end a text, those of the decoding settings among them.

    Args:
        task: `LanguageModel`.

    Returns:
        List of `int`, none twice.

    Raises:
        ValueError: if the task has no preprocessor, which would know them.
    """
    if task.preprocessor is None:
        raise ValueError(
            'Expected a preprocessor for stop_token_ids="auto". Received: a task '
            "without one; pass the ids of the tokens that end a text, or None"
        )
    tokenizer = task.preprocessor.tokenizer
    known = (getattr(x, "stop_token_ids", None) for x in (task.preprocessor, tokenizer))
    own = list(next(filter(None, known), [tokenizer.end_token_id]))
    settings = getattr(task, "decoding_settings", None)
    further = getattr(settings, "eos_token_id", None)
    return list(dict.fromkeys([*own, *_listed(further)]))


def _listed(token_ids):
    """A list of ids, one or `None`, as a list."""
    if token_ids is None:
        return []
    return token_ids if isinstance(token_ids, list | tuple) else [token_ids]


def _several(batch):
    """One string, alone or in a dict, becomes a list of one."""
    values = list(batch.values()) if isinstance(batch, dict) else [batch]
    is_one = all(isinstance(x, str | bytes) for x in values)
    if not is_one:
        return batch, False
    if isinstance(batch, dict):
        return {name: [text] for name, text in batch.items()}, True
    return [batch], True


def _arrays(task, inputs, count, stop_token_ids):
    """The best rows of one tokenised batch, as NumPy arrays."""
    outputs = task.generate_rows(inputs, stop_token_ids)
    return {
        name: np.array(ops.convert_to_numpy(rows))[:, :count]
        for name, rows in outputs.items()
    }


def _pairs(task, outputs):
    """A list of `(text, score)` for each input."""
    scores = outputs.pop(SCORES)
    rows = {name: x.reshape(-1, x.shape[-1]) for name, x in outputs.items()}
    texts = iter(task.preprocessor.generate_postprocess(rows))
    return [[(str(next(texts)), float(s)) for s in row] for row in scores]
