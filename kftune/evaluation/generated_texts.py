"""What can be counted of generated texts: variety, and what is copied.

Words are letters and digits in a row: in languages without spaces both say little.
"""

import re

from kftune.models.texts import list_of_texts

_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")


def distinct_ngrams(texts, size):
    """Tells how varied texts are: distinct-n.

    Reference: Li et al. 2016, https://arxiv.org/abs/1510.03055

    Args:
        texts: sequence of str.
        size: int from 1, n.

    Returns:
        float, 0 to 1: different n-grams of words over all n-grams of words, those of
        all texts together; 0 without any.

    Example:
    ```python
    distinct_ngrams(["a fine film", "a fine day"], 2)  # 3 of 4: 0.75
    ```
    """
    ngrams = [ngram for text in list_of_texts(texts) for ngram in _ngrams(text, size)]
    return len(set(ngrams)) / len(ngrams) if ngrams else 0.0


def copied_share(texts, sources, size=8):
    """Tells how much of texts stands word for word in others.

    Args:
        texts: sequence of str, what a model has generated.
        sources: sequence of str, what it was trained on.
        size: int from 1. So many words in a row, case aside, count as copied.

    Returns:
        float, 0 to 1: the share of the texts' words that are part of such a row.

    Example:
    ```python
    copied_share(["A fine film, though."], ["a fine film"], size=3)  # 3 of 4: 0.75
    ```
    """
    sources = list_of_texts(sources)
    known = {ngram for source in sources for ngram in _ngrams(source, size)}
    copied = total = 0
    for text in list_of_texts(texts):
        words = _words(text)
        is_copied = [False] * len(words)
        for start, ngram in enumerate(_ngrams(text, size)):
            if ngram in known:
                is_copied[start : start + size] = [True] * size
        copied += sum(is_copied)
        total += len(words)
    return copied / total if total else 0.0


def score_variety(texts, sources):
    """Counts how varied generated texts are, and how much of them is copied.

    The counts depend on how many texts there are: compare with as many others.

    Args:
        texts: sequence of str, what a model has generated.
        sources: sequence of str, what it was trained on.

    Returns:
        dict of `"distinct_1"`, `"distinct_2"` and `"distinct_3"`, see
        `distinct_ngrams`, and `"copied_share"`, of 8 words in a row, see
        `copied_share`; each a float, 0 to 1.

    Example:
    ```python
    score_variety(["a fine film", "a fine day"], ["a dull film"])["distinct_1"]  # 4 / 6
    ```
    """
    distinct = {f"distinct_{size}": distinct_ngrams(texts, size) for size in (1, 2, 3)}
    return {**distinct, "copied_share": copied_share(texts, sources)}


def _words(text):
    return _WORD.findall(text.casefold())


def _ngrams(text, size):
    words = _words(text)
    return [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]
