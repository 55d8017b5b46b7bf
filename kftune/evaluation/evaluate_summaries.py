"""The summaries of several systems, kept and scored."""

from kftune.evaluation.fact_share import fact_share
from kftune.evaluation.run_outputs import write_outputs
from kftune.evaluation.summaries import score_summaries


def evaluate_summaries(systems, test, path):
    """Scores the summaries of several systems, prints the scores and keeps the texts.

    Args:
        systems: `dict` of name to N `str`.
        test: `datasets.Dataset` or `dict` of columns: `source`, N `str`, and `target`,
            N `str` or lists of `str`.
        path: `str` or `Path` of the TSV file that is written: `source`, `target`,
            several divided by `" | "`, and a column a system.

    Returns:
        Dict of name to a dict for `write_results`: `"rouge1"`, `"rouge2"`, `"rougeL"`,
        0 to 100, `"intervals"`, `"facts"`, see `FactShare`, and `"signature"`.

    Raises:
        ValueError: see `score_summaries`.

    Example:
    ```python
    lead = [lead_sentences(source) for source in test["source"]]
    scores = evaluate_summaries({"lead": lead}, test, "runs/lead/summaries.tsv")
    scores["lead"]["rougeL"]
    ```
    """
    sources, references = test["source"][:], test["target"][:]
    found = {}
    for name, texts in systems.items():
        scores = score_summaries(texts, references)
        print(f"{name}: {scores}")
        found[name] = {
            **scores.corpus,
            "intervals": scores.intervals,
            "facts": vars(fact_share(sources, texts)),
            "signature": scores.signature,
        }
    targets = [row if isinstance(row, str) else " | ".join(row) for row in references]
    write_outputs(path, source=sources, target=targets, **systems)
    return found
