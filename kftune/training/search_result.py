"""What a search found: a table of its trials, the best settings, what mattered."""

import csv
import dataclasses

import yaml

from kftune.error_text import first_few
from kftune.files import write_aside
from kftune.training.optuna_extra import optuna
from kftune.training.search_space import searched

BEST = "best.yaml"
TRIALS = "trials.csv"


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        best: `dict`, the best trial's settings, those that all share included.
        value: `float`, its value of the monitored entry.
        number: `int`, its number.
        trials: list of `dict`, the rows of `trials.csv`.
        importance: `dict` of searched setting to `float` from 0 to 1, how much of the
            variance between complete trials it explains, in falling order; empty with
            fewer than 4 of them.
        study: `optuna.Study`, for all else that Optuna has to offer.

    Example:
    ```python
    result = search(train, space, "runs/search", n_trials=20)
    train(**result.best)
    ```
    """

    best: dict
    value: float
    number: int
    trials: list
    importance: dict
    study: object


def read_result(study):
    """Reads the result of a study that is done.

    Args:
        study: `kftune.training.search_study.SearchStudy`.

    Returns:
        `SearchResult`.

    Raises:
        RuntimeError: if no trial ran to its end; tells the trials' errors.
    """
    best = study.best_trial()
    rows = trial_rows(study)
    if best is None:
        errors = [f"{r['number']}: {r['error'] or r['state']}" for r in rows]
        raise RuntimeError(
            f"Expected one trial at least that ran to its end in {study.folder}. "
            f"Received: {first_few(errors, show=str)}. Their output stands in "
            f"{study.folder / 'trials'}; choose another folder to search again."
        )
    return SearchResult(
        best=study.settings_of(best),
        value=best.value,
        number=best.number,
        trials=rows,
        importance=_importance_of(study.study),
        study=study.study,
    )


def write_tables(study):
    """Writes `trials.csv`, and `best.yaml` once a trial ran to its end.

    Args:
        study: `kftune.training.search_study.SearchStudy`, which the caller holds alone.
    """
    rows = trial_rows(study)
    with (
        write_aside(study.folder / TRIALS) as aside,
        aside.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    if best := study.best_trial():
        comment = f"# Trial {best.number}: {best.value:.6g}\n"
        settings = yaml.safe_dump(study.settings_of(best), sort_keys=False)
        with write_aside(study.folder / BEST) as aside:
            aside.write_text(comment + settings, "utf-8")


def trial_rows(study):
    """The trials as rows of a table.

    Args:
        study: `kftune.training.search_study.SearchStudy`.

    Returns:
        List of `dict`: `number`, `state`, `value`, each searched setting, `epochs`,
        `seconds`, `peak_mb`, `retry_of` and `error`; `None` where there is nothing.
    """
    return [_row(study, trial) for trial in study.trials()]


def _importance_of(study):
    """How much of the variance each setting explains; nothing if that says nothing.

    By a functional analysis of variance on a random forest (Hutter et al. 2014,
    http://proceedings.mlr.press/v32/hutter14.html).
    """
    values = [trial.value for trial in study.trials if trial.state.name == "COMPLETE"]
    if len(values) < 4 or len(set(values)) == 1:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in shares.items()}


def _row(study, trial):
    """One trial."""
    state, error = trial.state.name, trial.user_attrs.get("error")
    if state == "FAIL":
        error = error or "its worker ended"
    own = searched(study.settings["space"])
    return {
        "number": trial.number,
        "state": state.lower(),
        "value": trial.value,
        **{name: trial.params.get(name) for name in own},
        "epochs": len(trial.intermediate_values),
        "seconds": trial.duration and round(trial.duration.total_seconds(), 1),
        "peak_mb": trial.user_attrs.get("peak_mb"),
        "retry_of": trial.user_attrs.get("retry_of"),
        "error": error,
    }
