"""One step of generation, with a state that goes in and comes out."""

import keras_hub
import numpy as np
from keras import ops

from kftune.models.n_best import as_stop_token_ids
from kftune.models.prompts import PROMPT, with_prompt

STATE = "state"
START = "start"  # int32 (): position of the first token that is read
INDEX = "index"  # int32 (): position of the token that is chosen


def next_token(task, inputs, stop_token_ids):
    """Reads some tokens of one row and chooses the next one; can be compiled.

    Letters: T length of the row, P tokens that are read.

    Args:
        task: `LanguageModel` whose sampler looks at one token at a time.
        inputs: dict of the row, `int32` `(1, T)`, under the task's `generated_name`;
            `PROMPT`, `int32` `(1, P)`, what is read; `STATE`, of `start_state` or of
            the step before; `START` and `INDEX`.
        stop_token_ids: sequence of `int` or `None`, for rules on the end.

    Returns:
        Dict of the row with the new token in it, and the new state.
    """
    row = inputs[task.generated_name]
    # PyTorch is given what was passed, and cannot compare its tensors with NumPy's.
    index = ops.convert_to_tensor(inputs[INDEX])
    hidden, state = task.decode_step(inputs[PROMPT], inputs[STATE], inputs[START])
    last = ops.take(hidden, index - 1 - inputs[START], axis=1)[:, None]
    logits = task.next_token_logits(last)[:, 0]
    sampler = task.sampler
    if hasattr(sampler, "apply_rules"):
        logits = sampler.apply_rules(logits, row, index, stop_token_ids, task)
    token = sampler.get_next_token(sampler.compute_probabilities(logits))
    token = ops.cast(token, row.dtype)[:, None]
    row = ops.slice_update(row, (0, index), token)
    return {task.generated_name: row, STATE: state}


def generated_tokens(task, inputs, stop_token_ids):
    """Generates the tokens of one row, one after the other.

    Args:
        task: `LanguageModel` whose sampler looks at one token at a time.
        inputs: dict of one tokenised input, as `generate_preprocess` gives it for a
            list of one.
        stop_token_ids: sequence of `int` or `None`. Ends at one of them, which is not
            given.

    Yields:
        `int`, up to the length of the row.

    Raises:
        TypeError: if the sampler is a search.
        ValueError: if the prompt is empty or too long.
    """
    unmade = keras_hub.samplers.Sampler.get_next_token  # raises: KerasHub's searches
    choose = getattr(type(task.sampler), "get_next_token", unmade)
    if choose is unmade or hasattr(task.sampler, "search"):
        raise TypeError(
            "Expected a sampler that takes one token at a time, such as "
            "kftune.decoding.Sampling or 'greedy'; a search knows its text only at "
            f"the end. Received: {type(task.sampler).__name__}"
        )
    given = with_prompt(task, inputs)
    index = int(np.sum(given[task.generated_mask_name]))
    row, read, start = given[task.generated_name], given[PROMPT], 0
    state = task.start_state(given)
    while index < row.shape[1]:
        step = {
            task.generated_name: row,
            PROMPT: read,
            STATE: state,
            START: np.array(start, "int32"),
            INDEX: np.array(index, "int32"),
        }
        outputs = task.run_compiled(step, stop_token_ids)
        row, state = outputs[task.generated_name], outputs[STATE]
        token = int(ops.convert_to_numpy(row)[0, index])
        if token in (as_stop_token_ids(stop_token_ids) or ()):
            return
        yield token
        read, start = np.array([[token]], "int32"), index
        index += 1
