"""Rows of a prompt and its answer, of which the answer alone is learnt."""

import warnings

import numpy as np
import tensorflow as tf


def answer_rows(
    prompts,
    answers,
    length,
    *,
    start=(),
    end=(),
    advice="A larger sequence_length keeps more.",
):
    """Joins prompts and answers, and cuts what is too long.

    A long pair loses the beginning of its prompt first, then the end of its answer;
    the start token stays. A warning tells how much was cut.

    Args:
        prompts: iterable of N lists of `int`.
        answers: iterable of N lists of `int`.
        length: `int`, the most tokens of a row.
        start: list of `int`, put before a prompt.
        end: list of `int`, put behind an answer, a part of it.
        advice: `str`, the end of the warning.

    Returns:
        Tuple of a list of N `int32` arrays, the token ids, and a list of N `bool`
        arrays of the same lengths, True for a token of the answer.

    Example:
    ```python
    rows, weights = answer_rows([[5, 6]], [[7]], 8, start=[3], end=[3])
    rows, weights  # [[3, 5, 6, 7, 3]], [[False, False, False, True, True]]
    ```
    """
    rows, weights, lost = [], [], []
    room = length - len(start)
    for prompt, ids in zip(prompts, answers, strict=True):
        whole = [*ids, *end]
        answer = whole[:room]
        cut = max(0, len(prompt) + len(answer) - room)
        rows.append(np.array([*start, *prompt[cut:], *answer], "int32"))
        weights.append(np.arange(len(rows[-1])) >= len(rows[-1]) - len(answer))
        lost.append((cut, len(whole) - len(answer)))
    of_what = "answers, end tokens among them" if end else "answers"
    _tell(np.array(lost).reshape(-1, 2), length, f"{of_what}. {advice}")
    return rows, weights


def answer_rows_in_graph(prompts, answers, length, *, start=(), end=(), pad_token_id=0):
    """Does in a TensorFlow graph what `answer_rows` does, without the warning.

    Args:
        prompts: `tf.RaggedTensor`, `int32 (B, None)`.
        answers: `tf.RaggedTensor`, `int32 (B, None)`.
        length: `int`, L.
        start: list of `int`, put before a prompt.
        end: list of `int`, put behind an answer.
        pad_token_id: `int`.

    Returns:
        Tuple of the token ids, `int32 (B, L)`, the mask, `bool (B, L)`, True where a
        real token stands, and `bool (B, L)`, True where one of an answer does.
    """
    starts, ends = (
        tf.repeat(tf.constant([ids], "int32", (1, len(ids))), prompts.nrows(), axis=0)
        for ids in (start, end)
    )
    answers = tf.concat([answers, ends], axis=1)[:, : length - len(start)]
    sizes, answer_sizes = prompts.row_lengths(), answers.row_lengths()
    cut = sizes + answer_sizes - (length - len(start))
    kept = tf.ragged.range(sizes) >= cut[:, None]
    prompts = tf.ragged.boolean_mask(prompts, kept)
    rows = tf.concat([starts, prompts, answers], axis=1)
    total = rows.row_lengths()
    mask = tf.sequence_mask(total, length)
    before_answer = tf.sequence_mask(total - answer_sizes, length)
    token_ids = rows.to_tensor(pad_token_id, shape=(None, length))
    return token_ids, mask, mask & ~before_answer


def check_answers(prompts, answers):
    """Checks that each prompt has its answer.

    Args:
        prompts: list of `str`.
        answers: list of `str`.

    Raises:
        ValueError: if there are not as many.
    """
    if len(prompts) != len(answers):
        raise ValueError(
            "Expected as many answers as prompts. Received: "
            f"{len(prompts)} prompts and {len(answers)} answers"
        )


def _tell(lost, length, ending):
    """Warns of what was cut: `lost`, `(N, 2)`, tokens of each prompt and answer."""
    if not lost.any():
        return
    pairs = np.count_nonzero(lost.any(axis=1))
    (prompts, answers), (of_prompts, of_answers) = (
        np.count_nonzero(lost, axis=0),
        lost.sum(axis=0),
    )
    warnings.warn(
        f"{pairs} of {len(lost)} pairs of prompt and answer were cut to {length} "
        f"tokens: {of_prompts} tokens at the beginning of {prompts} prompts, "
        f"{of_answers} at the end of {answers} {ending}",
        stacklevel=2,
    )
