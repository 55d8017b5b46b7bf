"""What can be counted of generated texts: variety, and what is copied."""

import re

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
    ngrams = [ngram for text in texts for ngram in _ngrams(text, size)]
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
    known = {ngram for source in sources for ngram in _ngrams(source, size)}
    copied = total = 0
    for text in texts:
        words = _words(text)
        is_copied = [False] * len(words)
        for start, ngram in enumerate(_ngrams(text, size)):
            if ngram in known:
                is_copied[start : start + size] = [True] * size
        copied += sum(is_copied)
        total += len(words)
    return copied / total if total else 0.0


def _words(text):
    return _WORD.findall(text.casefold())


def _ngrams(text, size):
    words = _words(text)
    return [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]
