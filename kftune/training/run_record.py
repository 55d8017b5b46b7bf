"""What a run has left in its folder, read for reports."""

import csv
import dataclasses
import json
from pathlib import Path

from kftune.training.run_folder import HISTORY, RESULTS, SETTINGS, read_history

# What comes of a table with other columns, or with text in place of numbers.
_DAMAGES = (AttributeError, LookupError, TypeError, ValueError, csv.Error)


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """A run, ended or not, as its folder tells.

    Attributes:
        name: str, short and different for each of the runs that were read together.
        folder: path.
        settings: dict of what it was started with.
        history: dict of log entry to list of float, see `read_history`.
        results: dict of `results.json`; empty if the run has not ended.

    Example:
    ```python
    (run,) = read_runs(["runs/a"])
    run.settings["epochs"], run.history["val_loss"]
    ```
    """

    name: str
    folder: Path
    settings: dict
    history: dict
    results: dict


def read_runs(folders):
    """Reads the folders of several runs.

    Args:
        folders: list of str or path.

    Returns:
        List of `RunRecord`, in this order.

    Raises:
        ValueError: If there is none, or some are not folders of runs: they have neither
            `settings.json` nor `results.json`, or a file is damaged. Lists all that is
            wrong.

    Example:
    ```python
    runs = read_runs(["runs/nothing", "runs/backbone"])
    kftune.evaluation.write_report(runs, "report.html")
    ```
    """
    folders = [Path(folder) for folder in folders]
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    wrong = [f"{name}: given twice" for name in set(names) if names.count(name) > 1]
    runs = []
    for name, folder in zip(names, folders, strict=True):
        runs.append(_read_run(name, folder, wrong))
    if wrong or not runs:
        listed = "".join(f"\n  {line}" for line in wrong) or " none"
        raise ValueError(
            "Expected folders that the recipes wrote, one for each run, with "
            f"{SETTINGS} or {RESULTS}. Received:{listed}"
        )
    return runs


def _read_run(name, folder, wrong):
    """Reads a run, and notes in `wrong` what is missing or damaged."""
    settings, results, history = {}, {}, {}
    if not folder.is_dir():
        wrong.append(f"{folder}: no such folder")
    elif not any((folder / file).exists() for file in (SETTINGS, RESULTS)):
        wrong.append(f"{folder}: neither {SETTINGS} nor {RESULTS}")
    else:
        results = _read_json(folder / RESULTS, wrong)
        settings = _read_json(folder / SETTINGS, wrong) or results.get("settings", {})
        try:
            history = read_history(folder)
        except _DAMAGES as error:
            wrong.append(f"{folder}: {HISTORY} is damaged ({error!r})")
    if not isinstance(settings, dict):
        wrong.append(f"{folder}: the settings in {RESULTS} are no JSON object")
    return RunRecord(name, folder, settings, history, results)


def _read_json(path, wrong):
    """A JSON object; empty if there is no file, or a damaged one."""
    if not path.exists():
        return {}
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        wrong.append(f"{path.parent}: {path.name} is damaged ({error})")
        return {}
    if not isinstance(value, dict):
        kind = type(value).__name__
        wrong.append(f"{path.parent}: {path.name} is no JSON object but a {kind}")
        return {}
    return value
