"""Texts with their summaries, and what the readers of these may be interested in."""

import random
import re

import datasets
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

_WORD = re.compile(r"[^\W\d_]{4,}")


def summary_rows(rows, *, share=0.0, most=3, seed=0):
    """Makes a row of each summary, and guesses what its reader is interested in.

    Interests are content words that a summary shares with its source: words of four
    letters or more that are none of scikit-learn's English stop words. Which rows and
    words are taken depends on the texts and the seed alone.

    Args:
        rows: `datasets.Dataset` or `dict` of columns: `source`, N `str`, and `target`,
            N `str` or lists of `str`, where a text has several summaries.
        share: `float`, 0 to 1, of the rows that get interests; about as many do.
        most: `int`, words of a row at most, drawn at random.
        seed: `int`.

    Returns:
        `datasets.Dataset` of the columns `source`, `target`, `str` both, `interests`,
        lists of lower-cased `str` in the order of the summary, empty without any, and
        `row`, `int`, the index of the row it was made of.

    Example:
    ```python
    rows = {"source": ["We train on noisy graphs."], "target": [["Noisy.", "Graphs."]]}
    summary_rows(rows, share=1.0)["interests"]  # [["noisy"], ["graphs"]]
    ```
    """
    made = {"source": [], "target": [], "interests": [], "row": []}
    pairs = zip(rows["source"], rows["target"], strict=True)
    for index, (source, targets) in enumerate(pairs):
        for target in [targets] if isinstance(targets, str) else targets:
            draw = random.Random(f"{seed} {source} {target}")
            words = _draw(source, target, most, draw) if draw.random() < share else []
            for column, value in zip(made, (source, target, words, index), strict=True):
                made[column].append(value)
    return datasets.Dataset.from_dict(
        made,
        features=datasets.Features(
            source=datasets.Value("string"),
            target=datasets.Value("string"),
            interests=datasets.List(datasets.Value("string")),
            row=datasets.Value("int64"),
        ),
    )


def _draw(source, summary, most, draw):
    """Some of the content words that both have, in the order of the summary."""
    known = set(_content_words(source))
    shared = [word for word in _content_words(summary) if word in known]
    drawn = draw.sample(shared, min(most, len(shared)))
    return [word for word in shared if word in drawn]


def _content_words(text):
    """Different content words in the order of the text."""
    words = dict.fromkeys(_WORD.findall(text.casefold()))
    return [word for word in words if word not in ENGLISH_STOP_WORDS]
