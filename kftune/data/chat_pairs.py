"""From chats to the prompts and answers that a language model is trained on."""

from kftune.data.chat_prompt import CHAT_MARKERS, chat_prompt, check_turns
from kftune.error_text import first_few


def chat_pairs(
    chats,
    *,
    every_answer=False,
    max_length=None,
    length=None,
    answer_length=None,
    markers=CHAT_MARKERS,
):
    """Makes prompts of what was said before, and answers of what the assistant said.

    Prints how many turns were cut from how many prompts. See `chat_prompt` for how a
    prompt is written and cut.

    Args:
        chats: sequence of chats, lists of dicts of `role` and `content`.
        every_answer: `bool`. True: each turn of the assistant is an answer once, to the
            turns before it. False: the last one of each chat.
        max_length: `int` or `None`. The most that a prompt and its answer may measure:
            with start and end token, `preprocessor.sequence_length - 1` tokens.
        length: function from a `str` to its length; needed for `max_length`.
        answer_length: `int` or `None`. The room that a prompt leaves for its answer;
            `None`: as much as the answer needs. With a number a prompt tells nothing of
            its answer, as is right for test data, but a longer answer may not fit.
        markers: dict of role to marker.

    Returns:
        Dict of the lists `prompt`, `answer` and `dropped_turns`, `int`, as
        `kftune.training.text_batches` takes it.

    Raises:
        ValueError: if no turn of a chat is an answer to others, or as in `chat_prompt`.

    Example:
    ```python
    pairs = kftune.data.chat_pairs(chats, every_answer=True)
    batches = kftune.training.text_batches(
        task, {"train": pairs}, text="prompt", answer="answer"
    )
    ```
    """
    chats = list(chats)
    for index, turns in enumerate(chats):
        check_turns(turns, markers, f"turns of chat {index}")
    places = [_answers_of(turns, every_answer) for turns in chats]
    if silent := [index for index, found in enumerate(places) if not found]:
        raise ValueError(
            "Expected a turn of the assistant in each chat, to be learnt. Received "
            f"none in chats {first_few(silent, show=str)}"
        )
    options = {"max_length": max_length, "length": length, "markers": markers}
    if max_length is not None and answer_length is not None:
        options["max_length"] = max_length - answer_length
    pairs = {"prompt": [], "answer": [], "dropped_turns": []}
    for turns, found in zip(chats, places, strict=True):
        for place in found:
            answer = f" {turns[place]['content']}"
            reserved = answer if answer_length is None else ""
            prompt = chat_prompt(turns[:place], answer=reserved, **options)
            pairs["prompt"].append(prompt.text)
            pairs["answer"].append(answer)
            pairs["dropped_turns"].append(prompt.dropped)
    print(_summary(len(chats), pairs["dropped_turns"]))
    return pairs


def _answers_of(turns, every_answer):
    """Places of the assistant's turns, but for one that nothing precedes."""
    found = [
        index
        for index, turn in enumerate(turns)
        if turn["role"] == "assistant" and index
    ]
    return found if every_answer else found[-1:]


def _summary(chats, dropped):
    """One line: what there is, and what was cut."""
    cut = sum(number > 0 for number in dropped)
    return (
        f"Chats: {len(dropped)} answers of {chats} chats; {sum(dropped)} old turns cut "
        f"from {cut} prompts."
    )
