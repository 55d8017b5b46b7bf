"""Between which values a score lies with 95 % confidence."""

import json
import math

import numpy as np

from kftune.evaluation.translation import METRICS, check_rows, make_metrics

# Of the normal distribution, 95 % lie within so many standard deviations of its mean.
_DEVIATIONS = 1.959964
_DIGITS = 6


def wilson_interval(share, rows):
    """Computes the 95 % confidence interval of a share, such as an accuracy.

    It lies within 0 and 1 also where all rows are right, or a few rows were tested.

    Args:
        share: `float`, 0 to 1, of the rows.
        rows: `int`, above 0, how many were tested.

    Returns:
        Tuple of two `float`, its ends.

    Raises:
        ValueError: if `share` or `rows` lies outside.

    Reference: Wilson, 1927, https://doi.org/10.1080/01621459.1927.10502953

    Example:
    ```python
    wilson_interval(0.79, 1000)  # (0.7637, 0.8141)
    ```
    """
    if not (0 <= share <= 1 and rows > 0):
        raise ValueError(
            "Expected a share from 0 to 1 of one row or more. Received: "
            f"share={share}, rows={rows}"
        )
    square = _DEVIATIONS**2
    middle = share + square / (2 * rows)
    spread = math.sqrt(square * (share * (1 - share) / rows + square / (2 * rows) ** 2))
    whole = 1 + square / rows
    return max(0.0, (middle - spread) / whole), min(1.0, (middle + spread) / whole)


def bootstrap_intervals(
    hypotheses, references, metrics=METRICS, *, lowercase=False, samples=1000
):
    """Computes scores of translations and their intervals, by sacreBLEU's bootstrap.

    95 % of the test sets that are drawn from the rows, with replacement, score within
    (Koehn 2004, https://aclanthology.org/W04-3250/). The random numbers start from
    `SACREBLEU_SEED` in the environment, 12345 by default, so they repeat.

    Args:
        hypotheses: see `score_translations`, as the next three.
        references: sequence of N `str` or lists of `str`.
        metrics: names among `"bleu"`, `"chrf"` and `"ter"`.
        lowercase: `bool`.
        samples: `int`, above 1, how many test sets are drawn.

    Returns:
        `dict` of metric to a tuple of three `float`: the score, and the ends of its
        interval.

    Raises:
        TypeError: as `score_translations`.
        ValueError: as `score_translations`.

    Example:
    ```python
    score, low, high = bootstrap_intervals(translations, references, ["bleu"])["bleu"]
    ```
    """
    hypotheses, streams = list(hypotheses), check_rows(hypotheses, references)
    return {
        name: _interval(metric, hypotheses, streams, samples)
        for name, metric in make_metrics(metrics, lowercase).items()
    }


def mean_interval(values, samples=1000, seed=12345, groups=None):
    """Computes the 95 % confidence interval of a mean, by the bootstrap.

    So scores that are the mean of those of the rows, or differences of two systems on
    the same rows: no difference is shown where the interval holds 0.

    Args:
        values: floats `(N,)`, one a row.
        samples: `int`, how many sets of N are drawn from the rows, with replacement.
        seed: `int`, of the draws.
        groups: sequence of N, or `None`. Rows of one group are drawn together, as they
            depend on each other, such as several summaries of one text.

    Returns:
        Tuple of two `float`: 95 % of the drawn sets have their mean between them.

    Raises:
        ValueError: if there are no values, or not as many groups.

    Example:
    ```python
    mean_interval([1.0, 0.0, 1.0, 1.0] * 25)  # (0.66, 0.83)
    ```
    """
    values = np.asarray(values, "float64")
    if not values.size:
        raise ValueError("Expected the values of one row or more. Received: none")
    places = range(values.size) if groups is None else groups
    if len(places) != values.size:
        raise ValueError(
            f"Expected a group for each of {values.size} values. Received: "
            f"{len(places)} groups"
        )
    numbers = {group: number for number, group in enumerate(dict.fromkeys(places))}
    places = [numbers[group] for group in places]
    sums, sizes = np.bincount(places, values), np.bincount(places)
    rng = np.random.default_rng(seed)
    drawn = (rng.choice(sums.size, sums.size) for _ in range(samples))
    means = [sums[rows].sum() / sizes[rows].sum() for rows in drawn]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def _interval(metric, hypotheses, streams, samples):
    """Score and interval; sacreBLEU gives the second in its JSON only, if above 0."""
    score = metric.corpus_score(hypotheses, streams, n_bootstrap=samples)
    signature = str(metric.get_signature())
    told = json.loads(score.format(_DIGITS, signature=signature, is_json=True))
    middle, spread = (told.get(f"confidence_{part}", 0.0) for part in ("mean", "var"))
    return float(score.score), middle - spread, middle + spread
