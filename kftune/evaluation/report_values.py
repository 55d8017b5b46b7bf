"""What a run's results hold, as texts by name for the tables of a report."""

import json
import math

from kftune.evaluation.score_intervals import bootstrap_intervals, wilson_interval
from kftune.evaluation.translation import METRICS

_SCORES = ("test", "validation", "baselines", "floors", "perplexity", "generated")


def flat(value, name=""):
    """Lists what nested values hold.

    Args:
        value: what JSON has.
        name: `str`, what comes before the names.

    Returns:
        `dict` of names, parts divided by `": "`, to numbers, texts, lists, `None`.
    """
    if not isinstance(value, dict):
        return {name: value}
    found = {}
    for key, item in value.items():
        found |= flat(item, f"{name}: {key}" if name else key)
    return found


def texts(value):
    """Gives texts for what `flat` lists.

    Args:
        value: what JSON has.

    Returns:
        `dict` of names to `str`.
    """
    return {name: _text(item) for name, item in flat(value).items()}


def score_texts(results, outputs):
    """Gives the scores of a run with their 95 % intervals, where these can be told.

    Those of accuracies follow from the number of test rows, those of BLEU, chrF and TER
    from the translations, if they are the ones that were scored.

    Args:
        results: `dict`, see `kftune.evaluation.write_results`.
        outputs: `dict`, see `read_outputs`.

    Returns:
        `dict` of names to `str`.
    """
    scores = flat({name: results[name] for name in _SCORES if name in results})
    scores = {name: score for name, score in scores.items() if score is not None}
    intervals = {
        **_of_shares(scores, flat(results.get("data"))),
        **_of_translations(scores, outputs),
    }
    found = {}
    for name, score in scores.items():
        found[name] = _text(score)
        if name in intervals:
            low, high = intervals[name]
            found[name] += f" [{low:.4g}, {high:.4g}]"
    return found


def _text(value):
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _of_shares(scores, data):
    """Intervals of the accuracies on the test rows, of a task or of all."""
    found = {}
    for name, score in scores.items():
        parts = name.split(": ")
        if parts[0] not in ("test", "baselines") or parts[-1] != "accuracy":
            continue
        rows = data.get(f"{parts[1]}: rows: test", data.get("rows: test"))
        is_share = isinstance(score, float | int) and 0 <= score <= 1
        if is_share and isinstance(rows, int) and rows > 0:
            found[name] = wilson_interval(score, rows)
    return found


def _of_translations(scores, outputs):
    """Intervals of the scores that `evaluate_translation` gave."""
    found = {}
    for file, rows in outputs.items():
        if "translation" not in rows[0]:
            continue
        # translations.tsv has the scores of "test", translations.en-de.tsv those of
        # "test: en-de".
        part = file.removeprefix("translations").removesuffix(".tsv").removeprefix(".")
        name = f"test: {part}" if part else "test"
        for case in ("cased", "lower_cased"):
            found |= _of_corpus(scores, f"{name}: {case}: corpus", rows, case)
    return found


def _of_corpus(scores, name, rows, case):
    prefix = f"{name}: "
    metrics = {
        metric: scores[prefix + metric]
        for metric in METRICS
        if isinstance(scores.get(prefix + metric), float)
    }
    if not metrics:
        return {}
    hypotheses, references = ([r[c] for r in rows] for c in ("translation", "target"))
    told = bootstrap_intervals(
        hypotheses, references, list(metrics), lowercase=case == "lower_cased"
    )
    return {
        f"{prefix}{metric}": (low, high)
        for metric, (score, low, high) in told.items()
        if math.isclose(score, metrics[metric], rel_tol=1e-6)
    }
