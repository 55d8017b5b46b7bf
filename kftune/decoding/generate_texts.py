"""Goes on with many prompts, in batches of like length."""

import numpy as np
from keras import ops

from kftune.decoding.length_batches import map_by_length
from kftune.decoding.text_pieces import TextPieces
from kftune.error_text import first_few
from kftune.models.n_best import best_of, own_stop_token_ids
from kftune.models.prompts import ROW_LENGTHS
from kftune.models.rounded_length import rounded_length
from kftune.models.texts import list_of_texts
from kftune.models.token_rows import padded, special_ids

_LONG_PROMPTS = ("error", "window")


def generate_texts(
    task,
    prompts,
    *,
    max_new_tokens=64,
    stop_strings=(),
    long_prompts="error",
    batch_tokens=2048,
    on_batch=None,
    names=None,
):
    """Generates what follows each of many prompts; the order does not change.

    Prompts are sorted by length inside, and all batches of one length have as many
    rows, so that little is compiled. Each text ends after `max_new_tokens`, whatever
    the length of its prompt.

    Args:
        task: `kftune.models.GPT2CausalLM` with a preprocessor, compiled with the
            sampler to use.
        prompts: sequence of N str.
        max_new_tokens: int from 1. Tokens of a text at most.
        stop_strings: str, or sequence of str. A text ends before the first of them; it
            is cut there, as its batch goes on.
        long_prompts: what to do with prompts that leave no room for `max_new_tokens`
            among the positions of the model: `"error"`; or `"window"`, which reads
            their last tokens alone.
        batch_tokens: int. Tokens of a batch's prompts at most, padding included; but a
            batch has one row at least.
        on_batch: function, called after each batch with the number of texts that are
            done; or `None`.
        names: sequence of N, what errors call the prompts; `None` for their indices.

    Returns:
        List of N str, without the prompts.

    Raises:
        TypeError: if the task does not go on with prompts, or if they are one str.
        ValueError: if prompts are too long or have no token; names them. If a number or
            `long_prompts` is not as expected, or a stop string empty.

    Example:
    ```python
    task = kftune.models.GPT2CausalLM.from_preset("gpt2_tiny_en")
    task.compile(sampler=kftune.decoding.Sampling(0.8, top_p=0.9, seed=1))
    generate_texts(task, ["The film", "A comedy that"], stop_strings=["."])
    ```
    """
    stops = TextPieces(stop_strings).stop_strings  # refuses an empty one
    room = _room(task, max_new_tokens, long_prompts)
    rows = _fitting(task.preprocessor, prompts, room, long_prompts, names)

    def generated(batch, length):
        texts = _generated(task, batch, length, max_new_tokens)
        return [TextPieces(stops).grow(text, is_last=True) for text in texts]

    lengths = [len(row) for row in rows]
    return map_by_length(
        generated,
        rows,
        lengths,
        limit=room,
        batch_tokens=batch_tokens,
        on_batch=on_batch,
    )


def check_prompts(task, prompts, *, max_new_tokens, long_prompts="error", names=None):
    """Checks that prompts can be gone on with, before hours are spent on others.

    Args:
        task: as in `generate_texts`, and so are the others.
        prompts: sequence of N `str`.
        max_new_tokens: `int`.
        long_prompts: `str`.
        names: sequence of N `str`, or `None`.

    Raises:
        TypeError: as `generate_texts`.
        ValueError: as `generate_texts`.

    Example:
    ```python
    task = kftune.models.GPT2CausalLM.from_preset("gpt2_tiny_en")
    check_prompts(task, ["The film"], max_new_tokens=64)
    ```
    """
    room = _room(task, max_new_tokens, long_prompts)
    _fitting(task.preprocessor, prompts, room, long_prompts, names)


def _room(task, max_new_tokens, long_prompts):
    """How many tokens a prompt may have."""
    if not hasattr(task.preprocessor, "prompt_rows"):
        raise TypeError(
            "Expected a task that goes on with prompts, such as GPT2CausalLM, with its "
            f"preprocessor. Received: {type(task).__name__}. "
            "kftune.decoding.translate_texts is for encoder-decoders."
        )
    longest = task.backbone.max_positions
    if not 1 <= max_new_tokens < longest or long_prompts not in _LONG_PROMPTS:
        raise ValueError(
            f"Expected max_new_tokens from 1 to {longest - 1}, and long_prompts in "
            f"{_LONG_PROMPTS}. Received: max_new_tokens={max_new_tokens}, "
            f"long_prompts={long_prompts!r}"
        )
    return longest - max_new_tokens


def _fitting(preprocessor, prompts, room, long_prompts, names):
    """Tokens of prompts that leave room for what follows."""
    rows = preprocessor.prompt_rows(list_of_texts(prompts))
    if names is None:
        names = [f"index {index}" for index in range(len(rows))]
    named = list(zip(names, rows, strict=True))
    if empty := [name for name, row in named if not row]:
        raise ValueError(
            "Expected prompts of at least one token. Received none at "
            f"{first_few(empty, show=str)}"
        )
    long = [name for name, row in named if len(row) > room]
    start = special_ids(preprocessor, "start")
    window = room - len(start)
    if long and (long_prompts == "error" or window < 1):
        other = ', or long_prompts="window" to read their ends alone'
        other = other if window > 0 else ""
        raise ValueError(
            f"Expected prompts of at most {room} tokens, which leaves room for "
            f"max_new_tokens. Received longer ones at "
            f"{first_few(long, show=str)}. Pass fewer max_new_tokens{other}."
        )
    return [
        row if len(row) <= room else [*start, *row[len(row) - window :]] for row in rows
    ]


def _generated(task, rows, length, max_new_tokens):
    """The texts that follow some prompts, each of its own length."""
    tokenizer = task.preprocessor.tokenizer
    width = min(
        length + rounded_length(max_new_tokens, task.backbone.max_positions),
        task.backbone.max_positions,
    )
    token_ids, is_prompt = padded(rows, width, tokenizer.pad_token_id)
    ends = is_prompt.sum(axis=1) + max_new_tokens
    inputs = {
        task.generated_name: token_ids,
        task.generated_mask_name: is_prompt,
        ROW_LENGTHS: ends.astype("int32"),  # a search is not to choose by what is cut
    }
    outputs = best_of(task.generate_rows(inputs, own_stop_token_ids(task)))
    outputs = {name: ops.convert_to_numpy(rows) for name, rows in outputs.items()}
    mask = outputs[task.generated_mask_name] & ~is_prompt
    outputs[task.generated_mask_name] = mask & (np.arange(width) < ends[:, None])
    return [str(text) for text in task.preprocessor.generate_postprocess(outputs)]
