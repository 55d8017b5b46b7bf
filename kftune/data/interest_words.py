"""What a reader is interested in, guessed from the summary that the reader wrote."""

import random
import re

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

_WORD = re.compile(r"[^\W\d_]{4,}")


def interest_words(source, summary, most=3, seed=0):
    """Chooses content words that a summary shares with its source, at random.

    Content words have four letters or more, and are none of scikit-learn's English stop
    words.

    Args:
        source: `str`.
        summary: `str`.
        most: `int`, how many words at most.
        seed: `int`. The same texts and seed give the same words.

    Returns:
        List of `str`, lower-cased, in the order of the summary. Empty if there is none.

    Example:
    ```python
    interest_words("We train graph networks on noisy graphs.", "Training on graphs.")
    # ["graphs"]
    ```
    """
    common = _content_words(source) & _content_words(summary)
    shared = [word for word in _content_words(summary) if word in common]
    drawn = random.Random(f"{seed}:{summary}").sample(shared, min(most, len(shared)))
    return [word for word in shared if word in drawn]


def _content_words(text):
    """Different content words, as the keys of a `dict` in the order of the text."""
    words = dict.fromkeys(_WORD.findall(text.casefold()))
    return {word: None for word in words if word not in ENGLISH_STOP_WORDS}.keys()
