"""Mend text, drop what nobody can learn from, and say how much that was."""

import dataclasses
from collections import Counter

from kftune.data.drop_report import DropReport, announced
from kftune.data.labels import is_missing
from kftune.data.mend import mend
from kftune.data.quick_rows import quick_rows
from kftune.data.same_text import fingerprint, text_columns


@dataclasses.dataclass(frozen=True)
class CleaningReport(DropReport):
    """How many rows were changed and dropped. Each row counts under one reason.

    Attributes:
        rows_before: `int`.
        mended: `int`. Rows whose text changed: wrongly decoded characters, NUL and
            other control characters, foreign line ends, characters not in NFC.
        unlabelled: `int`. Dropped: the label is missing.
        blank: `int`. Dropped: nothing but white space in a text column.
        overlong: `int`. Dropped: more than `max_chars` characters in a text column.
        conflicting: `int`. Dropped: the same text stands under several labels, so that
            none of them can be trusted.
        duplicate: `int`. Dropped: the same text stands in an earlier row.

    Example:
    ```python
    rows, report = kftune.data.clean(rows)
    print(report.rows_after, report.duplicate)
    ```
    """

    unlabelled: int = 0
    blank: int = 0
    overlong: int = 0
    conflicting: int = 0
    duplicate: int = 0


def clean(dataset, *, columns=None, label="label", max_chars=20_000):
    """Mends and drops rows, and prints how many of each.

    Texts are the same if they differ in case and white space alone. Of equal rows the
    first one stays; equal texts with different labels all go.

    Args:
        dataset: `datasets.Dataset`.
        columns: sequence of `str`. The text columns; `None` takes `text`,
            or `source` and `target`.
        label: `str`. The column whose missing values (`None`, `""`, NaN, or -1 for
            class labels) drop a row; ignored if there is no such column.
        max_chars: `int` or `None`. The most characters a text may have; `None` for no
            limit.

    Returns:
        `datasets.Dataset` and `CleaningReport`.

    Raises:
        ValueError: if a text column is missing or holds no strings, or if no row is
            left.

    Example:
    ```python
    from datasets import Dataset
    from kftune.data import clean

    rows = Dataset.from_dict({"text": ["A cafÃ©.", "a  CafÃ©.", " "]})
    rows, report = clean(rows)  # prints: 3 rows, 2 mended, dropped 1 blank, 1 duplicate
    rows["text"]  # ["A café."]
    ```
    """
    columns = text_columns(dataset, columns)
    label = label if label in dataset.features else None
    mended = mend(dataset, columns)
    wanted = [*columns, label] if label else columns
    pairs = zip(quick_rows(dataset, columns), quick_rows(mended, wanted), strict=True)
    feature = dataset.features.get(label)
    candidates, counts = [], Counter()
    for index, (before, row) in enumerate(pairs):
        texts = [row[name] or "" for name in columns]
        value = row.get(label)
        if isinstance(value, str):
            value = value.strip()  # as encode_labels has it
        counts["mended"] += any(before[name] != row[name] for name in columns)
        fault = _fault(texts, max_chars)
        if label and is_missing(value, feature):
            fault = "unlabelled"
        if fault:
            counts[fault] += 1
        else:
            candidates.append((index, fingerprint(*texts), value))
    kept = _without_repetitions(candidates, counts)
    report = announced(CleaningReport(len(dataset), **counts))
    return mended.select(kept), report


def _fault(texts, max_chars):
    """Why the texts of a row are of no use, or None."""
    if any(not text.strip() for text in texts):
        return "blank"
    if max_chars is not None and max(map(len, texts)) > max_chars:
        return "overlong"
    return None


def _without_repetitions(candidates, counts):
    """Indices of the texts that stand once or agree on their label."""
    labels, conflicting, seen, kept = {}, set(), set(), []
    for _, text, label in candidates:
        # Two scores for one text are noise, two classes are a contradiction.
        if labels.setdefault(text, label) != label and not isinstance(label, float):
            conflicting.add(text)
    for index, text, _ in candidates:
        if text in conflicting:
            counts["conflicting"] += 1
        elif text in seen:
            counts["duplicate"] += 1
        else:
            seen.add(text)
            kept.append(index)
    return kept
