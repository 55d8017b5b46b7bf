"""A test set translated, kept and scored."""

from kftune.decoding import translate_texts
from kftune.evaluation.run_outputs import write_outputs
from kftune.evaluation.translation import score_translations


def evaluate_translation(task, pairs, path, **options):
    """Translates test pairs, keeps what came out, and prints and gives the scores.

    Args:
        task: `kftune.models.TransformerSeq2SeqLM`, compiled with the sampler to use.
        pairs: `datasets.Dataset` of the columns `source` and `target`.
        path: `str` or `Path` of the TSV file that is written: sources, targets and
            the column `translation`.
        **options: of `kftune.decoding.translate_texts`, such as `target_language`.

    Returns:
        Dict for `write_results`: under `"cased"` and `"lower_cased"` a dict of
        `"corpus"` and `"signatures"`, as in `TranslationScores`.

    Raises:
        ValueError: see `score_translations`.

    Example:
    ```python
    task.compile(sampler=kftune.decoding.BeamSearch(5))
    scores = evaluate_translation(task, test, "runs/de/translations.tsv")
    scores["cased"]["corpus"]["bleu"]
    ```
    """
    outputs = translate_texts(task, pairs["source"], **options)
    columns = {name: pairs[name] for name in ("source", "target")}
    write_outputs(path, **columns, translation=outputs)
    scores = {
        name: score_translations(
            outputs, pairs["target"], lowercase=name == "lower_cased"
        )
        for name in ("cased", "lower_cased")
    }
    print("\n".join(map(str, scores.values())))
    return {
        name: {"corpus": score.corpus, "signatures": score.signatures}
        for name, score in scores.items()
    }
