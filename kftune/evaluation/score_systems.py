"""Scores of several systems on several test sets, each against the first system."""

import dataclasses

from kftune.data import find_placeholders
from kftune.evaluation.compare_systems import compare_systems
from kftune.evaluation.placeholder_fidelity import placeholder_fidelity

_SURE = 0.05
_NAMES = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER"}


@dataclasses.dataclass(frozen=True)
class SystemScores:
    """What several systems reach on several test sets. Printed, a table in Markdown.

    Attributes:
        scores: `dict` of system to `dict` of test set to `dict` of metric to `float`.
            The first system is the baseline.
        p_values: the same with 0 to 1: how often chance alone makes a larger difference
            to the baseline than there is; 1 where there is none, `None` for the
            baseline.
        placeholders: `dict` of system to `dict` of test set to the share of
            translations that keep the placeholders of their source, 0 to 1; `None` if
            no source has any.
        signatures: `dict` of metric to `str`, sacreBLEU's, with test and seed.

    Example:
    ```python
    scored = kftune.evaluation.score_systems(
        {"a": {"news": a}, "b": {"news": b}}, {"news": news}
    )
    scored.is_sure("b", "news", "bleu"), scored.changes()
    ```
    """

    scores: dict
    p_values: dict
    placeholders: dict
    signatures: dict

    def __str__(self):
        return self.markdown()

    def is_sure(self, system, test, metric):
        """Tells whether a difference to the baseline is more than chance.

        Args:
            system: `str`.
            test: `str`.
            metric: `str`.

        Returns:
            `bool`. True if p < 0.05.
        """
        p_value = self.p_values[system][test][metric]
        return p_value is not None and p_value < _SURE

    def changes(self, metric="bleu"):
        """Gives the differences to the baseline, for `plot_changes`.

        Args:
            metric: `str`.

        Returns:
            Tuple of a `dict` of system to `dict` of test set to `float`, without the
            baseline, and a list of pairs `(system, test set)` which chance may have
            made.
        """
        base, *others = self.scores
        changes = {
            system: {
                test: scores[metric] - self.scores[base][test][metric]
                for test, scores in self.scores[system].items()
            }
            for system in others
        }
        unsure = [
            (system, test)
            for system, values in changes.items()
            for test in values
            if not self.is_sure(system, test, metric)
        ]
        return changes, unsure

    def markdown(self, **columns):
        """Writes a table, a row a system; a star marks what is more than chance.

        Args:
            **columns: more columns by name: `dict` of system to `str`.

        Returns:
            `str`.
        """
        base, *_ = self.scores
        tests = list(self.scores[base])
        has_placeholders = [t for t in tests if self.placeholders[base][t] is not None]
        header = ["system", *columns]
        header += [f"{t}: {_NAMES[m]}" for t in tests for m in self.signatures]
        header += [f"{t}: placeholders kept" for t in has_placeholders]
        lines = [header, ["---"] * len(header)]
        for system in self.scores:
            row = [system, *(values[system] for values in columns.values())]
            row += [self._cell(system, t, m) for t in tests for m in self.signatures]
            row += [f"{self.placeholders[system][t]:.1%}" for t in has_placeholders]
            lines.append(row)
        # A policy such as "lora:layers=query|value" is one cell.
        lines = [[cell.replace("|", r"\|") for cell in cells] for cells in lines]
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return f"{table}\n\n\\* differs from {base!r}, p < {_SURE}"

    def _cell(self, system, test, metric):
        star = "*" if self.is_sure(system, test, metric) else ""
        return f"{self.scores[system][test][metric]:.1f}{star}"


def score_systems(systems, tests, metrics=("bleu", "chrf"), **options):
    """Scores translations of all test sets, and tests differences to the baseline.

    Args:
        systems: `dict` of name to `dict` of test set to N `str`, the translations. The
            first system is the baseline.
        tests: `dict` of name to `datasets.Dataset` or `dict` with the columns `source`
            and `target`, N `str` each.
        metrics: names among `"bleu"`, `"chrf"` and `"ter"`.
        **options: of `compare_systems`: `test`, `samples`, `lowercase`, `tokenize`.

    Returns:
        `SystemScores`.

    Raises:
        TypeError: as `compare_systems`.
        ValueError: as `compare_systems`.

    Example:
    ```python
    systems = {"old": {"news": old}, "new": {"news": new}}
    scored = score_systems(systems, {"news": news})
    print(scored)
    scored.scores["new"]["news"]["bleu"], scored.p_values["new"]["news"]["bleu"]
    ```
    """
    scores, p_values, placeholders = ({s: {} for s in systems} for _ in range(3))
    signatures = {}
    for test, rows in tests.items():
        outputs = {system: made[test] for system, made in systems.items()}
        compared = compare_systems(outputs, rows["target"], metrics, **options)
        signatures = compared.signatures
        base = next(iter(compared.scores.values()))
        for system, results in compared.scores.items():
            scores[system][test] = {m: float(r.score) for m, r in results.items()}
            p_values[system][test] = {
                m: _p_value(result, base[m]) for m, result in results.items()
            }
            placeholders[system][test] = _fidelity(rows["source"], outputs[system])
    return SystemScores(scores, p_values, placeholders, signatures)


def _p_value(result, base):
    """The p-value; sacreBLEU gives a small one where both translate alike."""
    if result.p_value is None:
        return None
    return 1.0 if result.score == base.score else float(result.p_value)


def _fidelity(sources, outputs):
    """Share of translations that keep placeholders, or None without any."""
    sources = list(sources)
    if not any(map(find_placeholders, sources)):
        return None
    return placeholder_fidelity(sources, outputs)
