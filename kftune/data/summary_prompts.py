"""What a model is given to summarise."""

from kftune.data.keep_sentences import keep_sentences


def summary_prompts(sources, most, length, *, interests=None, ending="", keep="first"):
    r"""Writes prompts: a reader's interests, as much of a text as fits, an ending.

    How many texts were cut is printed.

    Args:
        sources: sequence of N `str`.
        most: `int`, how long a prompt may be, in what `length` counts.
        length: function of a `str` that gives an `int`, such as the number of tokens.
        interests: sequence of N lists of words, or `None` for no interests. An empty
            list adds nothing to its prompt; words that leave no room for a text go,
            the last ones first.
        ending: `str`, what asks for the summary, such as `"\nTL;DR:"`.
        keep: see `keep_sentences`.

    Returns:
        List of N `str`.

    Raises:
        ValueError: if there are not as many lists of interests as sources, if `most`
            leaves no room for a text, or as in `keep_sentences`.

    Example:
    ```python
    count = len  # characters
    summary_prompts(["It rains. We stay."], 30, count, interests=[["rain"]])
    # Cut to 30: 1 of 1 texts. ["Interests: rain.\nIt rains."]
    ```
    """
    sources = list(sources)
    interests = [[]] * len(sources) if interests is None else list(interests)
    if len(sources) != len(interests):
        raise ValueError(
            "Expected as many lists of interests as sources. Received: "
            f"{len(interests)} lists, {len(sources)} sources"
        )
    if most - length(ending) < 1:
        raise ValueError(
            f"Expected room for a text before {ending!r}, of {length(ending)}. "
            f"Received: most={most}"
        )
    prompts, cut = [], 0
    for source, words in zip(sources, interests, strict=True):
        beginning = _beginning(words, most - length(ending), length)
        room = most - length(beginning) - length(ending)
        kept = keep_sentences(source, room, length, keep)
        cut += kept != source
        prompts.append(f"{beginning}{kept}{ending}")
    print(f"Cut to {most}: {cut} of {len(prompts)} texts.")
    return prompts


def _beginning(words, most, length):
    """A line with as many of a reader's words as leave room for a text."""
    for count in range(len(words), 0, -1):
        line = f"Interests: {', '.join(words[:count])}.\n"
        if length(line) < most:
            return line
    return ""
