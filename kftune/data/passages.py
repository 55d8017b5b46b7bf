"""Cut running text into passages of a few sentences, as pretraining wants them."""

import random
import re

# Arabic and Urdu marks as well; those of Chinese, Japanese and Hindi need no space.
_SENTENCE_END = re.compile(
    r"(?<=[.!?\u061f\u06d4])[\"')\]]*\s+(?=[\"'(\[\u00ab\u201e]?([^\W_]))"
    r"|(?<=[\u3002\uff01\uff1f\u0964])(?![\u300d\u300f\u201d\u2019\uff09\u3002\uff01\uff1f])"
)
_TOKENIZED_SENTENCE_END = re.compile(r"(?<= [.!?])\s+")
_SENTENCES_IN_PASSAGE = (1, 1, 2, 3)
ABBREVIATIONS = ("al.", "e.g.", "i.e.", "vs.", "cf.", "Fig.", "Eq.", "Dr.", "Mr.")

_DETOKENIZING = (
    (re.compile(r"\s+([,.;:!?%)\]}])"), r"\1"),
    (re.compile(r"([(\[{$])\s+"), r"\1"),
    (re.compile(r'"\s*([^"]*?)\s*"'), r'"\1"'),
    (re.compile(r'^"\s+|\s+"$'), ""),  # the other half is in another sentence
    (re.compile(r"\s+'\s*(s|t|re|ve|ll|d|m)\b"), r"'\1"),
    (re.compile(r"\bi\b"), "I"),
    (re.compile(r"\s+"), " "),
)


def split_sentences(text, tokenized=False, abbreviations=()):
    """Split text into sentences by their end marks, also those of other scripts.

    Args:
        text: str.
        tokenized: bool. `True` for text with spaces around its punctuation and
            no capitals, such as `"so it goes . then it stops ."`; its sentences
            come back detokenised and with a capital first letter.
        abbreviations: sequence of str, words with a full stop behind which no sentence
            ends, such as `ABBREVIATIONS`. Pretraining does without.

    Returns:
        A list of str, none of them empty.

    Example:
    ```python
    split_sentences("It rains. We stay in!")  # ["It rains.", "We stay in!"]
    ```
    """
    if tokenized:
        parts = _TOKENIZED_SENTENCE_END.split(text)
        parts = [capitalize(detokenize(part)) for part in parts]
    else:
        parts = _parts(text)
    sentences, goes_on = [], False
    for part in filter(None, map(str.strip, parts)):
        if goes_on:
            sentences[-1] += f" {part}"
        else:
            sentences.append(part)
        goes_on = part.split()[-1].lstrip("(\"'") in abbreviations
    return sentences


def _parts(text):
    """The pieces between the ends of sentences; none ends before a small letter."""
    ends = [m for m in _SENTENCE_END.finditer(text) if not (m[1] or "").islower()]
    starts = [0, *(match.end() for match in ends)]
    stops = [*(match.start() for match in ends), len(text)]
    return [text[a:b] for a, b in zip(starts, stops, strict=True)]


def detokenize(text):
    """Write lower-cased, space-separated tokens as a person would.

    Removes the spaces around punctuation and quotes that do not close, and
    capitalises the pronoun "i".

    Args:
        text: str, e.g. `"well , i 'm here ( again ) ."`.

    Returns:
        str, e.g. `"well, I'm here (again)."`.
    """
    for pattern, replacement in _DETOKENIZING:
        text = pattern.sub(replacement, text)
    return text.strip()


def capitalize(text):
    """Capitalise the first letter when it stands at the very start.

    Up to two characters, such as an opening quote, may stand before it.
    """
    match = re.search(r"[^\W\d_]", text[:3])
    if match is None:
        return text
    at = match.start()
    return text[:at] + text[at].upper() + text[at + 1 :]


def passages(sentences, max_words=45, seed=0):
    """Join neighbouring sentences into passages of one to three.

    Args:
        sentences: list of str in reading order.
        max_words: int, words. A passage ends before it would grow past this;
            one longer sentence stays whole. Defaults to 45.
        seed: int. Decides how many sentences each passage takes.

    Returns:
        A list of str that, joined by spaces, give the sentences again.

    Raises:
        ValueError: If `max_words` is less than 1.
    """
    if max_words < 1:
        raise ValueError(f"Expected max_words of 1 or more. Received: {max_words}")
    rng = random.Random(seed)
    found, passage, words, wanted = [], [], 0, 1
    for sentence in sentences:
        length = len(sentence.split())
        if passage and (words + length > max_words or len(passage) >= wanted):
            found.append(" ".join(passage))
            passage, words = [], 0
            wanted = rng.choice(_SENTENCES_IN_PASSAGE)
        passage.append(sentence)
        words += length
    return found + ([" ".join(passage)] if passage else [])
