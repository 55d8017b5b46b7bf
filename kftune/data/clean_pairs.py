"""Mend text pairs, drop those that are no translations, and say how many."""

import dataclasses
from collections import Counter

from kftune.data.drop_report import DropReport, announced
from kftune.data.languages import check_languages, is_other_language
from kftune.data.mend import mend
from kftune.data.quick_rows import quick_rows
from kftune.data.same_text import fingerprint, text_columns

_SIDES = ("source", "target")
_SHORT = 10  # characters; shorter sides count as this long


@dataclasses.dataclass(frozen=True)
class PairCleaningReport(DropReport):
    """How many pairs were changed and dropped. Each pair counts under one reason.

    Attributes:
        rows_before: `int`.
        mended: `int`. Pairs whose text changed, as in `CleaningReport`.
        blank: `int`. Dropped: nothing but white space on a side.
        overlong: `int`. Dropped: too many words or characters on a side.
        ratio: `int`. Dropped: one side is too many times as long as the other.
        identical: `int`. Dropped: both sides are the same text.
        wrong_language: `int`. Dropped: a side is in another language than it should be.
        duplicate: `int`. Dropped: the same pair stands in an earlier row.

    Example:
    ```python
    rows, report = kftune.data.clean_pairs(rows)
    print(report.rows_after, report.identical)
    ```
    """

    blank: int = 0
    overlong: int = 0
    ratio: int = 0
    identical: int = 0
    wrong_language: int = 0
    duplicate: int = 0


def clean_pairs(
    rows,
    *,
    max_words=250,
    max_chars=2_000,
    max_ratio=3.0,
    languages=None,
    keep_identical=False,
):
    """Mends and drops text pairs, and prints how many.

    Texts are the same if they differ in case and white space alone. Of equal pairs the
    first one stays.

    Args:
        rows: `datasets.Dataset` with the text columns `source` and `target`; other
            columns stay beside them.
        max_words: `int` or `None`. The most words, separated by white space, of a side;
            `None` for no limit.
        max_chars: `int` or `None`. The most characters of a side.
        max_ratio: `float` or `None`. How many times as many characters as the other
            side, at most, a side may have. Sides of less than 10 characters count as
            10. Chinese and Japanese beside a European language need about 6.
        languages: pair of codes, such as `("en", "de")`, or `None`. Drops pairs with a
            side that py3langid takes for another language: with a probability above one
            half, which texts of a word or two rarely reach, and ten times that of the
            expected one. It takes about half a millisecond a pair.
        keep_identical: `bool`. True keeps pairs whose sides are the same, such as names
            in a catalogue.

    Returns:
        `datasets.Dataset` and `PairCleaningReport`.

    Raises:
        ValueError: if a column is missing or holds no strings, if a limit or language
            is not possible, or if no pair is left.

    Example:
    ```python
    from datasets import Dataset
    from kftune.data import clean_pairs

    rows = {"source": ["A dog.", "OK", "Hi"], "target": ["Ein Hund.", "ok", "Hallo"]}
    rows, report = clean_pairs(Dataset.from_dict(rows))
    # prints: Cleaning: 3 rows, 0 mended, dropped 1 identical; 2 rows are left.
    ```
    """
    columns = text_columns(rows, _SIDES)
    limits = {"max_words": max_words, "max_chars": max_chars, "max_ratio": max_ratio}
    _check(limits, languages)
    mended = mend(rows, columns)
    pairs = zip(quick_rows(rows, columns), quick_rows(mended, columns), strict=True)
    seen, kept, counts = set(), [], Counter()
    for index, (before, after) in enumerate(pairs):
        counts["mended"] += before != after
        texts = [after[side] or "" for side in _SIDES]
        key = fingerprint(*texts)
        fault = _length_fault(texts, **limits)
        if not fault and not keep_identical and len(set(map(fingerprint, texts))) == 1:
            fault = "identical"
        if not fault and key in seen:
            fault = "duplicate"
        if not fault and languages and any(map(is_other_language, texts, languages)):
            fault = "wrong_language"
        if fault:
            counts[fault] += 1
        else:
            seen.add(key)
            kept.append(index)
    report = announced(PairCleaningReport(len(rows), **counts))
    return mended.select(kept), report


def _length_fault(texts, max_words, max_chars, max_ratio):
    """Why the lengths of the two texts are wrong, or None."""
    if any(not text.strip() for text in texts):
        return "blank"
    short, long = sorted(map(len, texts))
    if max_chars is not None and long > max_chars:
        return "overlong"
    if max_words is not None and max(len(t.split()) for t in texts) > max_words:
        return "overlong"
    if max_ratio is not None and max(long, _SHORT) > max_ratio * max(short, _SHORT):
        return "ratio"
    return None


def _check(limits, languages):
    wrong = [f"{n}={v}" for n, v in limits.items() if v is not None and v < 1]
    if wrong:
        raise ValueError(f"Expected limits of 1 or more. Received: {', '.join(wrong)}")
    if languages is not None:
        if isinstance(languages, str) or len(languages) != len(_SIDES):
            raise ValueError(
                f"Expected two languages, of source and target. Received: {languages!r}"
            )
        check_languages(languages)
