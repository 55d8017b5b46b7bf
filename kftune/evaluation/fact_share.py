"""How many numbers and names of a summary stand in its source."""

import dataclasses
import math
import re

from kftune.data.passages import ABBREVIATIONS, split_sentences

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W_]+")


@dataclasses.dataclass(frozen=True)
class FactShare:
    """Numbers and names that summaries take from their sources.

    Attributes:
        share: `float`, 0 to 1: how many of them stand in the source. NaN without any.
        facts: `int`: how many there are in all summaries. A model that names nothing
            makes no mistakes.

    Example:
    ```python
    found = kftune.evaluation.fact_share(["It has 3 rooms."], ["It has 3."])
    found.share, found.facts  # (1.0, 1)
    ```
    """

    share: float
    facts: int


def fact_share(sources, summaries):
    """Tells which share of the numbers and names of summaries stand in the sources.

    It stands for factuality where nobody reads: what is not in the source was made up,
    or written in another way ("three" for 3). What is may still be told wrongly.

    Numbers are tokens that begin with a digit. Names are words with a capital letter
    that do not begin a sentence, and anywhere words with a second capital, as acronyms
    have it; "I" is none. Words are compared whole, case aside, and on both sides of a
    hyphen by themselves; numbers without the commas between their digits.

    Args:
        sources: sequence of N `str`.
        summaries: sequence of N `str`.

    Returns:
        `FactShare` of all summaries together.

    Raises:
        ValueError: if there are not as many summaries as sources.

    Example:
    ```python
    fact_share(["We train BERT on 1,000 films."], ["They train BERT on 2000 Films."])
    # FactShare(share=0.67, facts=3)
    ```
    """
    sources, summaries = list(sources), list(summaries)
    if len(sources) != len(summaries):
        raise ValueError(
            "Expected as many summaries as sources. Received: "
            f"{len(sources)} sources, {len(summaries)} summaries"
        )
    found = total = 0
    for source, summary in zip(sources, summaries, strict=True):
        known = set(map(_plain, _TOKEN.findall(source)))
        facts = _facts(summary)
        found += sum(_plain(fact) in known for fact in facts)
        total += len(facts)
    return FactShare(found / total if total else math.nan, total)


def _facts(text):
    """The numbers and names of a text, as often as they stand in it."""
    return [
        token
        for sentence in split_sentences(text, abbreviations=ABBREVIATIONS)
        for index, token in enumerate(_TOKEN.findall(sentence))
        if _is_fact(token, begins=index == 0)
    ]


def _is_fact(token, begins):
    if token[0].isdigit():
        return True
    capitals = sum(letter.isupper() for letter in token)
    return capitals > 1 or (token[0].isupper() and not begins and token != "I")


def _plain(token):
    return token.replace(",", "").casefold()
