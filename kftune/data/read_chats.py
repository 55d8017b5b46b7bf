"""Chats of a file, as turns with roles."""

import datasets

from kftune.data.chat_prompt import CHAT_MARKERS, chat_prompt
from kftune.data.read import read
from kftune.error_text import first_few, shortened

SPEAKERS = {"U": "user", "S": "assistant"}


def read_chats(source, *, column="turns", speakers=SPEAKERS):
    """Reads chats, one a row.

    A turn is a pair of speaker and text, as in `[["U", "Hello."], ["S", "Hello!"]]`, or
    a dict of `role` and `content`.

    Args:
        source: a file, see `kftune.data.read`.
        column: `str`. The column of the turns.
        speakers: `dict` of speaker to role, for turns that are pairs.

    Returns:
        `datasets.Dataset` of the columns `turns`, lists of dicts of `role` and
        `content` as `kftune.data.chat_pairs` takes them, and `text`, each chat as one
        text, by which `split` and `drop_overlap` know equal ones.

    Raises:
        ValueError: if there is no such column, or if turns are neither; names the first
            rows.

    Example:
    ```python
    rows = kftune.data.read_chats("dialogues.jsonl")
    parts = kftune.data.split(rows, validation=0.1, test=0.1)
    pairs = kftune.data.chat_pairs(parts["train"]["turns"], every_answer=True)
    ```
    """
    rows = read(source)
    if column not in rows.features:
        raise ValueError(
            f"Expected a column {column!r} of turns in {source}. "
            f"Received: {rows.column_names}"
        )
    chats = [[_turn(turn, speakers) for turn in turns or ()] for turns in rows[column]]
    wrong = [index for index, turns in enumerate(chats) if not turns or None in turns]
    if wrong:
        shown = first_few(
            wrong, 3, lambda i: f"{shortened(rows[column][i])} in row {i}"
        )
        raise ValueError(
            "Expected turns as pairs of a speaker, one of "
            f"{list(speakers)}, and a text, or as dicts of a role, one of "
            f"{list(CHAT_MARKERS)}, and a content. "
            f"Received: {shown}"
        )
    texts = [chat_prompt(turns).text for turns in chats]
    return datasets.Dataset.from_dict({"turns": chats, "text": texts})


def _turn(turn, speakers):
    """A turn as a dict; None if it is none."""
    match turn:
        case {"role": str(role), "content": str(content)} if role in CHAT_MARKERS:
            return {"role": role, "content": content}
        case [str(speaker), str(content)] if speaker in speakers:
            return {"role": speakers[speaker], "content": content}
    return None
