"""What a summary is compared with: sentences of the source as they stand there."""

from kftune.data.passages import ABBREVIATIONS, split_sentences
from kftune.evaluation.summaries import make_scorer
from kftune.evaluation.translation_floors import translation_memory


def summary_floors(train, test):
    """Summarises without a model.

    Args:
        train: `datasets.Dataset` or `dict` of columns: `source` and `target`, N `str`
            each.
        test: the same with M rows; of `target` lists of `str`, too.

    Returns:
        `dict` of name to M `str`: `"lead"`, first sentences; `"memory"`, the summary of
        the most similar training text, see `translation_memory`; `"oracle"`, the
        sentences nearest to the references, which is no floor, but what choosing a
        sentence reaches at most.

    Raises:
        ValueError: see `translation_memory`.

    Example:
    ```python
    train = {"source": ["Cats sleep."], "target": ["On cats."]}
    test = {"source": ["Cats eat. They sleep."], "target": ["They sleep."]}
    summary_floors(train, test)
    # {"lead": ["Cats eat."], "memory": ["On cats."], "oracle": ["They sleep."]}
    ```
    """
    sources = list(test["source"])
    pairs = zip(sources, test["target"], strict=True)
    return {
        "lead": [lead_sentences(source) for source in sources],
        "memory": translation_memory(train["source"], train["target"], sources),
        "oracle": [oracle_sentence(*pair) for pair in pairs],
    }


def lead_sentences(text, n=1):
    """Takes the first sentences of a text, the floor for models that summarise.

    Args:
        text: `str`.
        n: `int` from 1.

    Returns:
        `str`; the whole text if it has no more sentences.

    Raises:
        ValueError: if `n` is less than 1.

    Example:
    ```python
    lead_sentences("It rains (cf. Fig. 2). We stay. So do you.")
    # "It rains (cf. Fig. 2)."
    ```
    """
    if n < 1:
        raise ValueError(f"Expected n of 1 or more. Received: {n}")
    return " ".join(_sentences(text)[:n])


def oracle_sentence(source, references, metric="rougeL", *, use_stemmer=True):
    """Finds the sentence of a source that is nearest to a reference.

    No model that chooses a sentence scores better by this metric; one that writes may.

    Args:
        source: `str`.
        references: `str` or list of `str`, of which the best counts.
        metric: `str`, see `score_summaries`.
        use_stemmer: `bool`, likewise.

    Returns:
        `str`, the first one of equals; `""` of a blank source.

    Raises:
        ValueError: if there is no such metric.

    Example:
    ```python
    oracle_sentence("Films are long. We cut them short.", "Films cut short.")
    # "We cut them short."
    ```
    """
    references = [references] if isinstance(references, str) else references
    scorer = make_scorer(metric, use_stemmer)
    return max(
        _sentences(source),
        key=lambda text: scorer.score_multi(references, text)[metric].fmeasure,
        default="",
    )


def _sentences(text):
    return split_sentences(text, abbreviations=ABBREVIATIONS)
