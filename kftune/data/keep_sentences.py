"""A long text cut to what a model reads, by whole sentences."""

import bisect

from kftune.data.passages import ABBREVIATIONS, split_sentences

_KEPT = ("first", "last", "ends")


def keep_sentences(text, most, length, keep="first"):
    """Keeps as many sentences of a text as fit, in their order.

    Args:
        text: `str`.
        most: `int`, how long the text may be, in what `length` counts.
        length: function of a `str` that gives an `int`, such as the number of tokens.
        keep: which sentences go before others: `"first"`, `"last"`, or `"ends"`, the
            first, the last, the second, the last but one and so on. The first sentence
            that does not fit ends the choice.

    Returns:
        `str`, the text itself if it fits. If not even one sentence fits, the beginning
        of it, by whole words; if not even one of these does, by characters.

    Raises:
        ValueError: if there is no such way to keep.

    Example:
    ```python
    keep_sentences("It rains. We stay. All is well.", 4, lambda t: len(t.split()))
    # "It rains. We stay."
    ```
    """
    if keep not in _KEPT:
        raise ValueError(f"Expected keep to be one of {_KEPT}. Received: {keep!r}")
    if length(text) <= most:
        return text
    sentences = split_sentences(text, abbreviations=ABBREVIATIONS)
    if not sentences:
        return ""
    kept, room = [], most
    for index in _order(len(sentences), keep):
        # Between sentences stands a space, which may belong to the second one's tokens.
        room -= length(f" {sentences[index]}")
        if room < 0:
            break
        kept.append(index)
    if not kept:
        return _beginning(sentences[_order(len(sentences), keep)[0]], most, length)
    return " ".join(sentences[index] for index in sorted(kept))


def _beginning(sentence, most, length):
    words = sentence.split()
    whole = _longest(words, " ", most, length)
    return whole or _longest(words[0], "", most, length)  # Chinese has no spaces


def _longest(parts, between, most, length):
    """As many parts as fit, joined; all of them measure no less than some."""
    sizes = range(1, len(parts) + 1)
    fits = bisect.bisect_right(
        sizes, most, key=lambda size: length(between.join(parts[:size]))
    )
    return between.join(parts[:fits])


def _order(number, keep):
    """The indices of sentences, the most wanted one first."""
    first = list(range(number))
    last = first[::-1]
    if keep == "ends":
        both = zip(first, last, strict=True)
        return list(dict.fromkeys(index for pair in both for index in pair))
    return first if keep == "first" else last
