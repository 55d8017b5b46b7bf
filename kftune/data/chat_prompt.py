"""From the turns of a chat to the text that a language model goes on with."""

import bisect
import dataclasses

from kftune.error_text import first_few, shortened

CHAT_MARKERS = {"system": "System:", "user": "User:", "assistant": "Assistant:"}


@dataclasses.dataclass(frozen=True)
class ChatPrompt:
    r"""A prompt, and what had to go so that it fits.

    Attributes:
        text: `str`. Ends with the marker of the assistant, which speaks next.
        dropped: `int`. Turns that were cut, the oldest ones.
        length: `int`. Of `text` and `answer`, as measured; 0 if nothing was.

    Example:
    ```python
    prompt = chat_prompt([{"role": "user", "content": "Hello."}])
    prompt.text, prompt.dropped  # "User: Hello.\nAssistant:", 0
    ```
    """

    text: str
    dropped: int = 0
    length: int = 0


def chat_prompt(
    turns, *, max_length=None, length=None, answer="", markers=CHAT_MARKERS
):
    r"""Writes the turns of a chat as one text, as long a history as fits.

    A turn is a line `User: content`; the last line is `Assistant:`, so that an answer
    begins with a space. Markers are plain text: a content may hold one as well, and a
    model cannot tell that from a turn. If the text is too long, the oldest turns go
    first, but for system turns at the beginning. The last turn always stays; what is
    still too long, `GPT2CausalLMPreprocessor` cuts in training, and refuses in
    `generate`.

    Args:
        turns: list of dicts of `role` and `content`, `str`, oldest first.
        max_length: `int` or `None` for no limit. The most that the text and `answer`
            may measure together.
        length: function from a `str` to its length, such as
            `lambda text: len(tokenizer(text))`; needed for `max_length`.
        answer: `str`, for which room is left.
        markers: dict of role to marker, `"assistant"` among them.

    Returns:
        `ChatPrompt`.

    Raises:
        ValueError: if there are no turns, if a turn lacks its role or content or has
            others than `str`, if a role has no marker, or if `length` is missing.

    Example:
    ```python
    turns = [
        {"role": "user", "content": "Hello."},
        {"role": "assistant", "content": "Good day."},
        {"role": "user", "content": "How are you?"},
    ]
    chat_prompt(turns).text
    # "User: Hello.\nAssistant: Good day.\nUser: How are you?\nAssistant:"
    chat_prompt(turns, max_length=40, length=len)
    # ChatPrompt(text="User: How are you?\nAssistant:", dropped=2, length=29)
    ```
    """
    check_turns(turns, markers)
    if max_length is None:
        return ChatPrompt(_written(turns, markers))
    if length is None:
        raise ValueError(
            "Expected length, a function that measures a text, for max_length. "
            f"Received: length=None, max_length={max_length}"
        )
    system = _leading_system_turns(turns)
    room = max_length - length(answer)

    def without(dropped):
        return _written(turns[:system] + turns[system + dropped :], markers)

    dropped = 0
    if length(without(0)) > room:  # long chats are measured a few times, not by turns
        most = max(1, len(turns) - system) - 1
        fits = bisect.bisect_left(
            range(1, most), True, key=lambda number: length(without(number)) <= room
        )
        dropped = min(1 + fits, most)
    text = without(dropped)
    return ChatPrompt(text, dropped, length(text) + max_length - room)


def check_turns(turns, markers, name="turns"):
    """Checks that a chat can be written.

    Args:
        turns: list of dicts of `role` and `content`.
        markers: dict of role to marker.
        name: `str`, what the chat is called in the error.

    Raises:
        ValueError: if it cannot; names the first turns that are wrong.
    """
    wrong = [
        index
        for index, turn in enumerate(turns)
        if not isinstance(turn, dict)
        or turn.get("role") not in markers
        or not isinstance(turn.get("content"), str)
    ]
    if wrong or not turns or "assistant" not in markers:
        received = first_few(wrong, 3, lambda i: f"{shortened(turns[i])} at index {i}")
        raise ValueError(
            f"Expected {name} as dicts of a role, one of the markers with 'assistant' "
            "among them, and a content, a str. Received: "
            f"{received if turns else 'no turns'}; markers for {', '.join(markers)}"
        )


def _leading_system_turns(turns):
    """How many turns at the beginning, but for the last turn, stay."""
    roles = [turn["role"] for turn in turns[:-1]]
    others = [index for index, role in enumerate(roles) if role != "system"]
    return others[0] if others else len(roles)


def _written(turns, markers):
    """The lines of all turns and of the assistant's marker."""
    lines = [f"{markers[turn['role']]} {turn['content']}" for turn in turns]
    return "\n".join([*lines, markers["assistant"]])
