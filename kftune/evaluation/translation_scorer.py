"""Scores of a model on held-out pairs, while it trains."""

from kftune.decoding import translate_texts
from kftune.evaluation.translation import score_translations


def translation_scorer(rows, metrics=("bleu",), **options):
    """Makes a scoring function for `kftune.training.ScoreCallback`.

    Args:
        rows: `datasets.Dataset` or `dict` with the columns `source` and `target`.
        metrics: names among `"bleu"`, `"chrf"` and `"ter"`.
        **options: of `translate_texts`: `batch_tokens`, `max_length`,
            `target_language`.

    Returns:
        Function from a `kftune.models.TransformerSeq2SeqLM` to `dict` of metric to
        `float`. It translates with the sampler that the model is compiled with.

    Example:
    ```python
    task.compile(sampler="greedy")
    score = translation_scorer(validation, target_language="de")
    task.fit(batches, callbacks=[kftune.training.ScoreCallback(score)])  # val_bleu
    ```
    """

    def score(task):
        outputs = translate_texts(task, rows["source"], **options)
        return score_translations(outputs, rows["target"], metrics).corpus

    return score
