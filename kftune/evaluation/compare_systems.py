"""Whether one system translates better than another, or chance may have done it."""

import dataclasses

from sacrebleu.significance import PairedTest

from kftune.evaluation.translation import METRICS, check_rows, make_metrics

_TESTS = {"bootstrap": "bs", "randomisation": "ar"}


@dataclasses.dataclass(frozen=True)
class SystemComparison:
    """Scores of several systems against the first. Printed, a line a score.

    Attributes:
        scores: `dict` of system to `dict` of metric to `sacrebleu.significance.Result`:
            `score`, on the whole test set; `p_value`, 0 to 1, how often chance alone
            makes a larger difference to the baseline than there is, `None` for the
            baseline; it says nothing if both translate alike;
            `mean` and `ci` of the bootstrap, `None` for randomisation: 95 % of the
            samples score from `mean - ci` to `mean + ci`.
        signatures: `dict` of metric to `str`, sacreBLEU's, with test and seed.

    Example:
    ```python
    compared = kftune.evaluation.compare_systems({"a": a, "b": b}, references)
    compared.scores["b"]["chrf"].p_value
    ```
    """

    scores: dict
    signatures: dict

    def __str__(self):
        lines = [
            f"{system}\t{metric}\t{_shown(result)}"
            for system, results in self.scores.items()
            for metric, result in results.items()
        ]
        signed = [f"# {name}|{text}" for name, text in self.signatures.items()]
        return "\n".join([*lines, *signed])


def compare_systems(
    systems,
    references,
    metrics=METRICS,
    *,
    test="bootstrap",
    samples=None,
    lowercase=False,
    tokenize=None,
):
    """Tests by chance whether systems differ from a baseline on the same test set.

    sacreBLEU's own paired tests: bootstrap resampling (Koehn 2004,
    https://aclanthology.org/W04-3250/) and approximate randomisation (Riezler and
    Maxwell 2005, https://aclanthology.org/W05-0908/). Their random numbers start from
    `SACREBLEU_SEED` in the environment, 12345 by default, so they repeat.

    Args:
        systems: `dict` of name to N `str`, the translations; the first is the baseline.
        references: see `score_translations`, as the others below.
        metrics: names among `"bleu"`, `"chrf"` and `"ter"`.
        test: `"bootstrap"` or `"randomisation"`.
        samples: `int` or `None` for 1000 samples of the bootstrap, 10,000 trials of the
            randomisation.
        lowercase: `bool`.
        tokenize: `str` or `None`.

    Returns:
        `SystemComparison`.

    Raises:
        TypeError: as `score_translations`.
        ValueError: as `score_translations`; or if there are fewer than two systems, no
            such test, or fewer than one sample.

    Example:
    ```python
    compared = compare_systems({"old": old, "new": new}, references, ["bleu"])
    print(compared)
    compared.scores["new"]["bleu"].p_value < 0.05
    ```
    """
    systems = {name: list(texts) for name, texts in systems.items()}
    if len(systems) < 2 or test not in _TESTS or not (samples is None or samples > 0):
        raise ValueError(
            f"Expected two systems or more, a test among {sorted(_TESTS)} and at least "
            f"one sample. Received: {sorted(systems)}, {test!r}, samples={samples}"
        )
    for name, texts in systems.items():
        streams = check_rows(texts, references, f"translations of {name!r}")
    made = make_metrics(metrics, lowercase, tokenize)
    paired = PairedTest(
        list(systems.items()), made, streams, _TESTS[test], n_samples=samples or 0
    )
    signatures, columns = paired()
    del columns["System"]
    scores = {name: {} for name in systems}
    for metric, column in zip(made, columns.values(), strict=True):
        for name, result in zip(systems, column, strict=True):
            scores[name][metric] = result
    signatures = dict(zip(made, map(str, signatures.values()), strict=True))
    return SystemComparison(scores, signatures)


def _shown(result):
    """Score, interval and p-value of a system."""
    spread = "" if result.mean is None else f" ({result.mean:.2f} ± {result.ci:.2f})"
    chance = "baseline" if result.p_value is None else f"p = {result.p_value:.4f}"
    return f"{result.score:.2f}{spread}\t{chance}"
