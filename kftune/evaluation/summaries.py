"""ROUGE of summaries, by the package rouge-score."""

import dataclasses
import importlib.metadata
import re

import numpy as np
from rouge_score.rouge_scorer import RougeScorer

from kftune.error_text import shortened
from kftune.evaluation.score_intervals import mean_interval
from kftune.evaluation.translation import check_references, check_rows

ROUGE = ("rouge1", "rouge2", "rougeL")
_READ = re.compile("[a-z0-9]")


@dataclasses.dataclass(frozen=True)
class SummaryScores:
    """Scores of the summaries of a whole test set, F1 from 0 to 100, more is better.

    Attributes:
        corpus: `dict` of metric to `float`, the mean of the rows.
        intervals: `dict` of metric to a tuple of two `float`: 95 % of the test sets
            that are drawn from the rows score within, see `mean_interval`.
        rows: `dict` of metric to float64 array `(N,)`.
        signature: `str`: all that a score depends on. Publish it beside the score.

    Example:
    ```python
    scores = kftune.evaluation.score_summaries(["The cat sat."], ["The cat sat."])
    scores.corpus["rougeL"]  # 100.0
    ```
    """

    corpus: dict
    intervals: dict
    rows: dict
    signature: str

    def __str__(self):
        told = (
            f"{name} {score:.2f} [{low:.2f}, {high:.2f}]"
            for (name, score), (low, high) in zip(
                self.corpus.items(), self.intervals.values(), strict=True
            )
        )
        return f"{', '.join(told)} ({self.signature})"


def check_summaries(references, sources=()):
    """Checks reference summaries, so that a run does not find out after its training.

    Args:
        references: sequence of N `str`, or of N lists of `str`.
        sources: sequence of `str`, the texts.

    Raises:
        TypeError: as `check_references`.
        ValueError: as `check_references`; or if in most of the references ROUGE reads
            nothing, as they have neither a to z nor digits.

    Example:
    ```python
    kftune.evaluation.check_summaries(test["target"], test["source"])
    ```
    """
    check_references(references, sources)
    texts = [row if isinstance(row, str) else " ".join(row) for row in references]
    unread = [text for text in texts if not _READ.search(text.lower())]
    if 2 * len(unread) > len(texts):
        raise ValueError(
            "Expected summaries that ROUGE can score: it reads a to z and digits. "
            f"Received {len(unread)} of {len(texts)} without any, such as "
            f"{shortened(unread[0])}"
        )


def score_summaries(summaries, references, metrics=ROUGE, *, use_stemmer=True):
    """Scores the summaries of a whole test set by ROUGE.

    Of several references of a row the best one counts, for each metric by itself. Only
    a to z and digits are read, of lower-cased text: ROUGE of this package is for
    English.

    Args:
        summaries: sequence of N `str`; one may be empty and scores 0.
        references: sequence of N `str`, or of N lists of `str` where there are several
            for a row. None is blank.
        metrics: names among `"rouge1"` (words), `"rouge2"` (pairs of words) and
            `"rougeL"` (longest common subsequence).
        use_stemmer: `bool`. True: words of more than three letters are compared
            without their endings (Porter's stemmer), as papers mostly do.

    Returns:
        `SummaryScores`.

    Raises:
        TypeError: if something is not a string; names the first ones by index.
        ValueError: if there are no rows, not as many references as summaries, blank
            references, or if there is no such metric.

    Reference: Lin, 2004, https://aclanthology.org/W04-1013/

    Example:
    ```python
    scores = score_summaries(["The cat sat."], [["A cat sat there.", "No cat."]])
    scores.corpus["rouge1"]  # 2 of 3 and 2 of 4 words: 57.14
    ```
    """
    summaries, streams = list(summaries), check_rows(summaries, references, "summaries")
    scorer = make_scorer(metrics, use_stemmer)
    texts = [[r for r in row if r is not None] for row in zip(*streams, strict=True)]
    found = [
        scorer.score_multi(row, summary)
        for row, summary in zip(texts, summaries, strict=True)
    ]
    rows = {
        name: np.array([100 * scores[name].fmeasure for scores in found])
        for name in scorer.rouge_types
    }
    counts = sorted({len(row) for row in texts})
    signature = {
        "nrefs": "-".join(str(n) for n in dict.fromkeys((counts[0], counts[-1]))),
        "of": "best",
        "stemmer": "yes" if use_stemmer else "no",
        "version": importlib.metadata.version("rouge-score"),
    }
    return SummaryScores(
        corpus={name: float(scores.mean()) for name, scores in rows.items()},
        intervals={name: mean_interval(scores) for name, scores in rows.items()},
        rows=rows,
        signature="|".join(f"{name}:{value}" for name, value in signature.items()),
    )


def make_scorer(metrics=ROUGE, use_stemmer=True):
    """Makes a scorer of the package rouge-score.

    Args:
        metrics: names among `ROUGE`.
        use_stemmer: `bool`, see `score_summaries`.

    Returns:
        `rouge_score.rouge_scorer.RougeScorer`.

    Raises:
        ValueError: if there is no such metric, or no name.
    """
    metrics = [metrics] if isinstance(metrics, str) else list(metrics)
    if not metrics or not set(metrics) <= set(ROUGE):
        raise ValueError(f"Expected metrics among {ROUGE}. Received: {metrics}")
    return RougeScorer(metrics, use_stemmer=use_stemmer)
