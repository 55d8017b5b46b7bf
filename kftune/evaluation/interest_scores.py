"""Whether summaries that are written for a reader suit this reader better."""

import re

from kftune.evaluation.score_intervals import mean_interval
from kftune.evaluation.summaries import score_summaries

_WORD = re.compile(r"[^\W\d_]+")


def score_interests(plain, personal, references, words):
    """Compares summaries for all with those for a reader, by the reader's own summary.

    Args:
        plain: sequence of N `str`, summaries that were made without interests.
        personal: sequence of N `str`, those of the same texts with a reader's.
        references: sequence of N `str`, what each reader wrote.
        words: sequence of N lists of `str`, lower-cased: the interests of each.

    Returns:
        `dict`: `"readers"`, N; `"plain"` and `"personal"`, each with ROUGE-L
        (`"rougeL"`, 0 to 100) and the share of interest words that turn up in the
        summary (`"words"`, 0 to 1); `"difference"`, of personal and plain in ROUGE-L,
        and `"interval"`, its 95 % interval over readers.

    Raises:
        ValueError: if there are not as many of each, or as `score_summaries`.

    Example:
    ```python
    scores = score_interests(["A film."], ["A film on bees."], ["On bees."], [["bees"]])
    scores["personal"]["words"], scores["plain"]["words"]  # 1.0, 0.0
    ```
    """
    counts = [len(column) for column in (plain, personal, references, words)]
    if len(set(counts)) != 1:
        raise ValueError(
            "Expected as many summaries of both kinds, references and lists of words. "
            f"Received: {counts}"
        )
    systems = {"plain": plain, "personal": personal}
    rouge = {
        name: score_summaries(texts, references, "rougeL").rows["rougeL"]
        for name, texts in systems.items()
    }
    gains = rouge["personal"] - rouge["plain"]
    scores = {
        name: {"rougeL": float(rouge[name].mean()), "words": _share(words, texts)}
        for name, texts in systems.items()
    }
    return {
        "readers": len(gains),
        **scores,
        "difference": float(gains.mean()),
        "interval": mean_interval(gains),
    }


def _share(words, texts):
    """How many of the words stand in their texts, all together."""
    found = total = 0
    for wanted, text in zip(words, texts, strict=True):
        known = set(_WORD.findall(text.casefold()))
        found += sum(word in known for word in wanted)
        total += len(wanted)
    return found / total if total else 0.0
