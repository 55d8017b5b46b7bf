"""BLEU, chrF and TER of translations, by sacreBLEU."""

import dataclasses
import itertools

import numpy as np
from sacrebleu.metrics import BLEU, CHRF, TER

from kftune.error_text import first_few, shortened

METRICS = ("bleu", "chrf", "ter")


@dataclasses.dataclass(frozen=True)
class TranslationScores:
    """Scores of a whole test set. Printed, they are sacreBLEU's lines.

    Attributes:
        corpus: `dict` of metric to `float`. BLEU and chrF go from 0 to 100, more is
            better; TER is edits per 100 words of the reference, from 0, less is better.
        signatures: `dict` of metric to `str`: sacreBLEU's signature, which tells all
            that a score depends on. Publish it beside the score.
        lines: `dict` of metric to `str`: score and details on a line, as sacreBLEU
            prints them.

    Example:
    ```python
    scores = kftune.evaluation.score_translations(["Ja."], ["Ja."], ["chrf"])
    scores.corpus["chrf"], scores.signatures["chrf"]
    ```
    """

    corpus: dict
    signatures: dict
    lines: dict

    def __str__(self):
        return "\n".join(self.lines.values())


def score_translations(
    hypotheses, references, metrics=METRICS, *, lowercase=False, tokenize=None
):
    """Scores the translations of a whole test set.

    Both are text as people read it: detokenised, with its capitals. Details are
    sacreBLEU's defaults (Post 2018, https://aclanthology.org/W18-6319/).

    Args:
        hypotheses: sequence of N `str`, the translations; one may be empty.
        references: sequence of N `str`, or of N lists of `str` where there are several
            for a row. None is blank.
        metrics: names among `"bleu"`, `"chrf"` and `"ter"`.
        lowercase: `bool`. True: BLEU and chrF of lower-cased text. TER is always that
            of lower-cased text, as is sacreBLEU's.
        tokenize: `str` or `None`, sacreBLEU's tokenizer for BLEU: `"zh"`, `"ja-mecab"`,
            `"ko-mecab"`, `"intl"`, `"char"`, ...; `None` for `"13a"`.

    Returns:
        `TranslationScores`.

    Raises:
        TypeError: if something is not a string; names the first ones by index.
        ValueError: if there are no rows, not as many references as hypotheses, blank
            references, or if there is no such metric or tokenizer.

    Example:
    ```python
    scores = score_translations(["Ein Hund läuft."], ["Ein Hund rennt."], ["chrf"])
    scores.corpus["chrf"]  # 56.5
    scores.signatures["chrf"]  # nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:…
    ```
    """
    hypotheses, streams = list(hypotheses), check_rows(hypotheses, references)
    corpus, signatures, lines = {}, {}, {}
    for name, metric in make_metrics(metrics, lowercase, tokenize).items():
        score = metric.corpus_score(hypotheses, streams)
        signatures[name] = str(metric.get_signature())
        corpus[name] = float(score.score)
        lines[name] = score.format(width=2, signature=signatures[name])
    return TranslationScores(corpus, signatures, lines)


def score_sentences(
    hypotheses, references, metrics=METRICS, *, lowercase=False, tokenize=None
):
    """Scores each translation by itself.

    Their mean is not the score of the test set. BLEU of a sentence leaves out n-grams
    that are longer than it (sacreBLEU's `effective_order`).

    Args:
        hypotheses: as for `score_translations`, and so the others.
        references: sequence of N `str` or lists of `str`.
        metrics: names among `"bleu"`, `"chrf"` and `"ter"`.
        lowercase: `bool`.
        tokenize: `str` or `None`.

    Returns:
        `dict` of metric to float array `(N,)`.

    Raises:
        TypeError: as `score_translations`.
        ValueError: as `score_translations`.

    Example:
    ```python
    bleu = score_sentences(hypotheses, references, ["bleu"])["bleu"]
    worst = np.argsort(bleu)[:10]
    ```
    """
    hypotheses, streams = list(hypotheses), check_rows(hypotheses, references)
    made = make_metrics(metrics, lowercase, tokenize, effective_order=True)
    rows = [[r for r in row if r is not None] for row in zip(*streams, strict=True)]
    return {
        name: np.array(
            [
                metric.sentence_score(hypothesis, row).score
                for hypothesis, row in zip(hypotheses, rows, strict=True)
            ]
        )
        for name, metric in made.items()
    }


def make_metrics(names, lowercase=False, tokenize=None, effective_order=False):
    """Makes sacreBLEU's metrics.

    Args:
        names: names among `METRICS`.
        lowercase: `bool`, see `score_translations`.
        tokenize: `str` or `None`, likewise.
        effective_order: `bool`. True for the BLEU of sentences.

    Returns:
        `dict` of name to `sacrebleu.metrics.base.Metric`.

    Raises:
        ValueError: if there is no such metric or tokenizer, or no name.
    """
    names = [names] if isinstance(names, str) else list(names)
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        raise ValueError(f"Expected metrics among {METRICS}. Received: {names}")
    if tokenize is not None and tokenize not in BLEU.TOKENIZERS:
        raise ValueError(
            f"Expected a tokenizer among {sorted(BLEU.TOKENIZERS)}. "
            f"Received: {tokenize!r}"
        )
    makers = {
        "bleu": lambda: BLEU(
            lowercase=lowercase, tokenize=tokenize, effective_order=effective_order
        ),
        "chrf": lambda: CHRF(lowercase=lowercase),
        "ter": TER,
    }
    return {name: makers[name]() for name in names}


def check_references(references, sources=()):
    """Checks references, so that a run does not find out after hours of training.

    Args:
        references: sequence of N `str`, or of N lists of `str`.
        sources: sequence of `str`, what they are translations or summaries of.

    Raises:
        TypeError: if something is not a string.
        ValueError: if there are none, or if some are blank or missing; names them.

    Example:
    ```python
    kftune.evaluation.check_references(test["target"])
    ```
    """
    references = list(references)
    _check_strings("sources", enumerate(sources))
    check_rows([""] * len(references), references)


def check_rows(hypotheses, references, name="hypotheses"):
    """Checks translations and references, and turns references as sacreBLEU has them.

    Args:
        hypotheses: sequence of N `str`.
        references: sequence of N `str`, or of N lists of `str`.
        name: `str`, what errors call the hypotheses.

    Returns:
        List of R lists of N references; `None` where a row has fewer than R.

    Raises:
        TypeError: if something is not a string.
        ValueError: if counts differ, or if references are blank or missing.
    """
    hypotheses = list(hypotheses)
    rows = [[row] if isinstance(row, str) else row for row in references]
    _check_strings(name, enumerate(hypotheses))
    if len(hypotheses) != len(rows) or not rows:
        raise ValueError(
            "Expected as many references as translations, at least one. Received: "
            f"{len(hypotheses)} {name}, {len(rows)} references"
        )
    rows = [list(row) if isinstance(row, list | tuple) else [row] for row in rows]
    flat = [(index, text) for index, row in enumerate(rows) for text in row or [""]]
    _check_strings("references", flat)
    blank = sorted({index for index, text in flat if not text.strip()})
    if blank:
        raise ValueError(
            "Expected a reference for each row; a blank one makes every translation "
            f"wrong. Received blank ones at index {first_few(blank)}. Drop these rows."
        )
    return [list(stream) for stream in itertools.zip_longest(*rows)]


def _check_strings(name, numbered):
    wrong = [(i, text) for i, text in numbered if not isinstance(text, str)]
    if wrong:
        shown = first_few(wrong, show=lambda pair: f"{shortened(pair[1])} at {pair[0]}")
        raise TypeError(f"Expected strings among the {name}. Received: {shown}")
