"""What a translation model must beat: the source itself, and the nearest memory."""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from kftune.evaluation.translation import score_translations

_SOURCES_AT_ONCE = 256


def score_floors(train, test):
    """Scores what costs no model: copied sources, and a translation memory.

    Args:
        train: `datasets.Dataset` or `dict` of columns: `source` and `target`, N `str`
            each.
        test: the same with M rows.

    Returns:
        `dict`: `{"copy_source": {"bleu": a, "chrf": b}, "translation_memory": {...}}`,
        0 to 100.

    Raises:
        ValueError: see `translation_memory` and `score_translations`.

    Example:
    ```python
    train = {"source": ["a red car", "a dog"], "target": ["ein rotes Auto", "ein Hund"]}
    floors = score_floors(train, {"source": ["red cars"], "target": ["rote Autos"]})
    floors["translation_memory"]["chrf"]
    ```
    """
    sources, references = list(test["source"]), list(test["target"])
    outputs = {
        "copy_source": sources,
        "translation_memory": translation_memory(
            train["source"], train["target"], sources
        ),
    }
    return {
        name: score_translations(texts, references, ["bleu", "chrf"]).corpus
        for name, texts in outputs.items()
    }


def translation_memory(train_sources, train_targets, sources):
    """Answers each source with the translation of the most similar training source.

    Similar is what shares pieces of 2 to 4 characters inside of words, lower-cased,
    weighted by TF-IDF, by their cosine: of what scikit-learn cuts the highest floor. Of
    equals the first one counts; so it does where nothing is shared. A model that loses
    to it knows less than a search in the training data.

    Args:
        train_sources: sequence of N `str`.
        train_targets: sequence of N `str`.
        sources: sequence of M `str`.

    Returns:
        List of M `str` out of `train_targets`.

    Raises:
        ValueError: if there are not as many training targets as sources, or no training
            source has a letter.

    Example:
    ```python
    english, german = ["a red car", "a dog"], ["ein rotes Auto", "ein Hund"]
    translation_memory(english, german, ["two dogs and a dog"])  # ["ein Hund"]
    ```
    """
    targets = list(train_targets)
    if len(train_sources) != len(targets):
        raise ValueError(
            "Expected as many training targets as sources. Received: "
            f"{len(train_sources)} sources and {len(targets)} targets"
        )
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), dtype=np.float32)
    memory = pieces.fit_transform(train_sources).T.tocsr()
    nearest = []
    for first in range(0, len(sources), _SOURCES_AT_ONCE):
        asked = pieces.transform(sources[first : first + _SOURCES_AT_ONCE])
        nearest += np.asarray((asked @ memory).argmax(axis=1)).ravel().tolist()
    return [targets[index] for index in nearest]
