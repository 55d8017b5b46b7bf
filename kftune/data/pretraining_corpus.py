"""Text files of many kinds as passages for pretraining, a label where there is one."""

import dataclasses
import itertools
import zlib
from pathlib import Path

import yaml
from datasets import Dataset, Features, Value, concatenate_datasets

from kftune.data.passages import passages, split_sentences
from kftune.data.row_readers import ROWS, TABLES
from kftune.data.text_lines import OPENERS, format_of
from kftune.error_text import shortened

_READERS = TABLES | ROWS
_FEATURES = Features(
    {
        "text": Value("string"),
        "corpus": Value("string"),
        "document": Value("int32"),
        "praise": Value("float32"),
        "label_trust": Value("float32"),
        "validation": Value("bool"),
    }
)


@dataclasses.dataclass(frozen=True)
class PretrainingCorpus:
    """Where a corpus stands and how its rows become passages.

    Attributes:
        name: str.
        file: str, a `.txt`, `.csv`, `.tsv`, `.jsonl` or `.ndjson` file, perhaps with
            `.gz`, `.xz` or `.bz2` behind it.
        text: column name or sequence of them. A column may hold a string, a list of
            strings or a list of `[speaker, utterance]` pairs.
        label: column name of the label, or `None`.
        praise: sequence of label values that mean praise; kept as strings.
        criticism: the same for criticism; other values count as no label.
        label_trust: float, 0 to 1: how far the label is believed where a teacher says
            something else. Low for a document's label on each of its passages.
        paragraphs: bool. `True`: a blank line ends a text, not each line.
        tokenized: bool. `True`: lower-cased text with spaces around punctuation,
            which is written out as a person would.
        cut: bool. `False` keeps each text whole.
        validation: `"column=value"` of the rows held out, or `None` for about one
            row in 50, chosen by the hash of its text; a label may stand nowhere
            else.
        max_words: int, words a passage.
        repeat: float, how often its passages come alone in a pass over the data; 0
            leaves them to the packed rows, 0.15 takes 15 % of them.
        share: float, 0 to 1: the share of its packed rows that a pass takes.

    Raises:
        ValueError: If the file's suffix is not known.

    Example:
    ```python
    corpus = PretrainingCorpus("news", "news.txt")
    read_pretraining_corpora([corpus], folder="texts")
    ```
    """

    name: str
    file: str
    text: tuple = ("text",)
    label: str | None = None
    praise: tuple = ()
    criticism: tuple = ()
    label_trust: float = 0.7
    paragraphs: bool = False
    tokenized: bool = False
    cut: bool = True
    validation: str | None = None
    max_words: int = 45
    repeat: float = 1.0
    share: float = 1.0

    def __post_init__(self):
        if format_of(Path(self.file)) not in _READERS:
            raise ValueError(
                f"Corpus {self.name!r}: expected a file that ends with one of "
                f"{', '.join(_READERS)} (and perhaps {', '.join(OPENERS)}). "
                f"Received: {self.file!r}"
            )
        for field in ("text", "praise", "criticism"):
            object.__setattr__(self, field, _strings_of(getattr(self, field)))


def load_corpora(path):
    """Load a YAML list of corpora.

    Args:
        path: str or path of a file that holds a list of mappings, whose keys are the
            arguments of `PretrainingCorpus`.

    Returns:
        List of `PretrainingCorpus`.

    Raises:
        ValueError: If the file is no such list, a key is unknown, `name` or `file` is
            missing, or names repeat.

    Example:
    ```python
    corpora = load_corpora("corpora.yaml")  # - {name: reviews, file: reviews.txt.xz}
    ```
    """
    plans = yaml.safe_load(Path(path).read_text("utf-8"))
    if not isinstance(plans, list) or not all(isinstance(p, dict) for p in plans):
        raise ValueError(
            f"{path}: expected a YAML list of corpora, each a mapping that begins with "
            f"`- name: ...`. Received: {shortened(plans)}"
        )
    known = {field.name for field in dataclasses.fields(PretrainingCorpus)}
    unknown = sorted({str(key) for plan in plans for key in plan} - known)
    names = [plan.get("name") for plan in plans]
    incomplete = [plan for plan in plans if not {"name", "file"} <= plan.keys()]
    if unknown or incomplete or len(set(names)) < len(names):
        raise ValueError(
            f"{path}: expected corpora with a file, different names and the keys "
            f"{sorted(known)}. Received: unknown keys {unknown}, names {names}, "
            f"without name or file {incomplete}"
        )
    return [PretrainingCorpus(**plan) for plan in plans]


def read_pretraining_corpora(corpora, folder="."):
    """Read corpora into passages.

    Args:
        corpora: sequence of `PretrainingCorpus`.
        folder: str or path that the corpora's files stand under.

    Returns:
        `datasets.Dataset` with the columns `text`; `corpus`, its name; `document`,
        the number of the row it was cut from; `praise`, 1.0 praise, 0.0 criticism,
        null unknown; `label_trust`; `validation`, True: held out.

    Raises:
        FileNotFoundError: If files are missing; lists them all.
        ValueError: If a file cannot be read, or a column is missing.

    Example:
    ```python
    corpora = [PretrainingCorpus("reviews", "reviews.txt.xz")]
    passages = read_pretraining_corpora(corpora, "data")
    ```
    """
    missing = [c.file for c in corpora if not (Path(folder) / c.file).is_file()]
    if missing:
        raise FileNotFoundError(
            f"Expected these files under {folder}: {', '.join(missing)}"
        )
    return concatenate_datasets(
        [Dataset.from_list(list(_rows(c, folder)), _FEATURES) for c in corpora]
    )


def _strings_of(values):
    """A tuple of strings: YAML has numbers, single values and keys left blank."""
    if not isinstance(values, list | tuple):
        values = [] if values is None else [values]
    return tuple(str(value) for value in values)


def _rows(corpus, folder):
    path = Path(folder) / corpus.file
    rows = _READERS[format_of(path)](path)
    rows = _paragraphs(rows) if corpus.paragraphs else rows
    for document, (line, row) in enumerate(rows):
        missing = {*corpus.text, *filter(None, [corpus.label])} - row.keys()
        if missing:
            raise ValueError(
                f"{path}, line {line}: expected the columns {sorted(missing)}. "
                f"Received: {sorted(row)}"
            )
        texts = [text for column in corpus.text for text in _strings(row[column])]
        common = {
            "corpus": corpus.name,
            "document": document,
            "praise": _praise(corpus, row),
            "label_trust": corpus.label_trust,
            "validation": _held_out(corpus, row, texts),
        }
        for text in _cut(corpus, texts, document):
            yield {"text": text, **common}


def _paragraphs(rows):
    lines = []
    for number, row in itertools.chain(rows, [(None, {"text": ""})]):
        if row["text"].strip():
            lines.append((number, row["text"]))
        elif lines:
            yield lines[0][0], {"text": " ".join(text for _, text in lines)}
            lines = []


def _strings(value):
    """Strings of a column: itself, a list's, or what each speaker says."""
    if isinstance(value, str):
        return [value]
    return [item if isinstance(item, str) else item[-1] for item in value or []]


def _cut(corpus, texts, seed):
    texts = [" ".join(text.split()) for text in texts]
    if not corpus.cut:
        return [text for text in texts if text]
    sentences = [s for text in texts for s in split_sentences(text, corpus.tokenized)]
    return passages(sentences, corpus.max_words, seed)


def _praise(corpus, row):
    value = str(row[corpus.label]) if corpus.label else None
    if value in corpus.praise:
        return 1.0
    return 0.0 if value in corpus.criticism else None


def _held_out(corpus, row, texts):
    if corpus.validation:
        column, _, value = corpus.validation.partition("=")
        return str(row.get(column)) == value
    return zlib.crc32(" ".join(texts).encode()) % 50 == 0
