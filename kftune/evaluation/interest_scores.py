"""Whether summaries that are written for a reader suit this reader better."""

import re

from kftune.evaluation.run_outputs import write_outputs
from kftune.evaluation.score_intervals import mean_interval
from kftune.evaluation.summaries import score_summaries

_WORD = re.compile(r"[^\W\d_]+")


def score_interests(plain, personal, readers, path):
    """Compares summaries for all with those for a reader, by the reader's own summary.

    Args:
        plain: sequence of N `str`, summaries that were made without interests.
        personal: sequence of N `str`, those of the same texts with a reader's.
        readers: `datasets.Dataset` or `dict` of columns, see
            `kftune.data.summary_rows`: `source`, `target`, N `str` that the readers
            wrote, and `interests`, N lists of `str`.
        path: `str` or `Path` of the TSV file that is written: `source`, `target`,
            `interests`, `plain`, `personal`.

    Returns:
        `dict`: `"readers"`, N; `"plain"` and `"personal"`, each with ROUGE-L
        (`"rougeL"`, 0 to 100) and the share of interest words that turn up in the
        summary (`"words"`, 0 to 1); `"difference"`, of personal and plain in ROUGE-L,
        and `"interval"`, its 95 % interval; readers of one text are drawn together.

    Raises:
        ValueError: if there are not as many of each; or as `score_summaries`.

    Example:
    ```python
    readers = kftune.data.summary_rows(test, share=1.0)
    scores = score_interests(plain, personal, readers, "runs/a/interests.tsv")
    scores["personal"]["words"]  # 0.52
    ```
    """
    columns = {name: readers[name][:] for name in ("source", "target", "interests")}
    counts = [len(texts) for texts in (plain, personal, columns["source"])]
    if len(set(counts)) != 1:
        raise ValueError(
            "Expected as many summaries of both kinds as readers. Received: "
            f"{counts[0]} plain ones, {counts[1]} personal ones, {counts[2]} readers"
        )
    systems = {"plain": plain, "personal": personal}
    rouge = {
        name: score_summaries(texts, columns["target"], "rougeL").rows["rougeL"]
        for name, texts in systems.items()
    }
    gains = rouge["personal"] - rouge["plain"]
    interests = columns["interests"]
    scores = {
        name: {
            "rougeL": float(rouge[name].mean()),
            "words": _share(interests, texts),
        }
        for name, texts in systems.items()
    }
    columns["interests"] = [", ".join(words) for words in interests]
    write_outputs(path, **columns, **systems)
    return {
        "readers": len(gains),
        **scores,
        "difference": float(gains.mean()),
        "interval": mean_interval(gains, groups=columns["source"]),
    }


def _share(words, texts):
    """How many of the words stand in their texts, all together."""
    found = total = 0
    for wanted, text in zip(words, texts, strict=True):
        known = set(_WORD.findall(text.casefold()))
        found += sum(word in known for word in wanted)
        total += len(wanted)
    return found / total if total else 0.0
