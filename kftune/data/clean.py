"""Mend text, drop what nobody can learn from, and say how much that was."""

import dataclasses
from collections import Counter

import ftfy

from kftune.data.labels import is_missing
from kftune.data.quick_rows import quick_rows
from kftune.data.same_text import fingerprint, text_columns

# Only what is broken is mended: typographic quotes, ligatures and HTML stay.
_MENDING = ftfy.TextFixerConfig(
    unescape_html=False,
    uncurl_quotes=False,
    fix_latin_ligatures=False,
    fix_character_width=False,
    explain=False,
)


@dataclasses.dataclass(frozen=True)
class CleaningReport:
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

    rows_before: int
    mended: int = 0
    unlabelled: int = 0
    blank: int = 0
    overlong: int = 0
    conflicting: int = 0
    duplicate: int = 0

    @property
    def dropped(self):
        """`dict` of reasons to numbers of rows (`int`)."""
        counts = dataclasses.asdict(self)
        return {name: counts[name] for name in counts if name in _REASONS}

    @property
    def rows_after(self):
        """`int`. Rows that are left."""
        return self.rows_before - sum(self.dropped.values())

    def __str__(self):
        reasons = [f"{count} {name}" for name, count in self.dropped.items() if count]
        return (
            f"Cleaning: {self.rows_before} rows, {self.mended} mended, dropped "
            f"{', '.join(reasons) or 'none'}; {self.rows_after} rows are left."
        )


_REASONS = ("unlabelled", "blank", "overlong", "conflicting", "duplicate")


def clean(dataset, *, columns=None, label="label", max_chars=20_000):
    """Mends and drops rows, and prints how many of each.

    Texts are the same if they differ in case and white space alone. Of equal rows the
    first one stays; equal texts with different labels all go.

    Args:
        dataset: `datasets.Dataset`.
        columns: sequence of `str`. The text columns; `None` takes those of `text`,
            `source` and `target` that are there.
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
    mended = dataset.map(
        _mend,
        batched=True,
        fn_kwargs={"columns": columns},
        features=dataset.features,
        desc="Mending",
    )
    wanted = [*columns, label] if label else columns
    pairs = zip(quick_rows(dataset, columns), quick_rows(mended, wanted), strict=True)
    feature = dataset.features.get(label)
    candidates, counts = [], Counter()
    for index, (before, row) in enumerate(pairs):
        texts = [row[name] or "" for name in columns]
        value = row.get(label)
        counts["mended"] += any(before[name] != row[name] for name in columns)
        fault = _fault(texts, max_chars)
        if label and is_missing(value, feature):
            fault = "unlabelled"
        if fault:
            counts[fault] += 1
        else:
            candidates.append((index, fingerprint(*texts), value))
    kept = _without_repetitions(candidates, counts)
    report = CleaningReport(len(dataset), **counts)
    print(report)
    if not kept:
        raise ValueError(f"Expected rows to be left after cleaning. Received: {report}")
    return mended.select(kept), report


def _mend(batch, columns):
    """Mends the text columns of a batch."""
    return {
        name: [ftfy.fix_text(text, _MENDING) if text else text for text in batch[name]]
        for name in columns
    }


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
