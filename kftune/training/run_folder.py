"""The folder of a run: new, or that of a stopped run that goes on."""

import csv
import json
import shutil
from pathlib import Path

from kftune.error_text import differences
from kftune.files import write_aside

BACKUP = "backup"
BEST_WEIGHTS = "best.weights.h5"
HISTORY = "history.csv"
RESULTS = "results.json"
TENSORBOARD = "tensorboard"
_SETTINGS = "settings.json"


def open_run(folder, settings, may_differ=()):
    """Make ready the folder of a run, and tell whether a stopped one goes on.

    A run goes on if `backup/` is there, which Keras removes when training ends, and if
    it was started with the same settings. The weights, logs and `results.json` that an
    ended run left are cleared away, so that nothing of it is taken for the new one's;
    call this when all that can be wrong with the data has been found. What a recipe
    replaces as a whole when it ends, such as a model, stays until then.

    Args:
        folder: str or path, made when missing.
        settings: dict of what the training depends on, written to `settings.json`.
        may_differ: names of settings that may change when a run goes on.

    Returns:
        bool, `True` if a stopped run goes on.

    Raises:
        ValueError: If a stopped run has other settings; lists them all.

    Example:
    ```python
    open_run("runs/reviews", {"epochs": 3, "seed": 0})
    ```
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    settings = json.loads(json.dumps(settings, default=str))
    resumed = (folder / BACKUP).exists() and (folder / _SETTINGS).exists()
    if resumed:
        before = json.loads((folder / _SETTINGS).read_text("utf-8"))
        _check_same(folder, before, settings, may_differ)
        _drop_cut_line(folder / HISTORY)
        print(f"{folder}: going on after {len(_rows(folder))} epochs")
    else:
        _clear(folder)
    with write_aside(folder / _SETTINGS) as aside:
        aside.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
    return resumed


def open_runs(folder):
    """Make ready a folder of several runs, which goes on if it was stopped.

    If the folder itself has a `results.json`, all runs in it ended, and are made anew:
    their results are cleared away, so that `read_finished` finds none.

    Args:
        folder: str or path, made when missing; each run has a folder in it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / RESULTS).exists():
        for path in folder.glob(f"*/{RESULTS}"):
            path.unlink()
        (folder / RESULTS).unlink()


def read_finished(folder, settings):
    """Read the results of a run that ended, if it had the same settings.

    For recipes of several runs: when they go on, those that ended are not repeated.

    Args:
        folder: str or path of the run.
        settings: dict, those that `kftune.evaluation.write_results` was given.

    Returns:
        Dict of `results.json`, or `None` if there is none, or if it is of other
        settings.
    """
    path = Path(folder) / RESULTS
    if not path.exists():
        return None
    results = json.loads(path.read_text("utf-8"))
    same = results["settings"] == json.loads(json.dumps(settings, default=str))
    return results if same else None


def read_history(folder):
    """Read what each epoch of a run logged, those before a stop included.

    Args:
        folder: str or path of the run.

    Returns:
        Dict of log entry to list of float, one an epoch, NaN where it was not logged;
        empty without epochs.
    """
    rows = _rows(Path(folder))
    names = rows[0].keys() - {"epoch"} if rows else ()
    # Keras writes NA, also in val_ columns of a run without validation.
    return {
        name: [float(row[name].replace("NA", "nan")) for row in rows]
        for name in sorted(names)
        if any(row[name] != "NA" for row in rows)
    }


def _rows(folder):
    """Whole rows of the history; of an epoch that was trained again, the last one."""
    path = folder / HISTORY
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if all(row.values())]
    return list({row["epoch"]: row for row in rows}.values())


def _check_same(folder, before, now, may_differ):
    if changed := differences(before, now, may_differ):
        raise ValueError(
            f"{folder} holds a stopped run with other settings: {'; '.join(changed)}. "
            "Go on with it under the same ones, choose another folder, or delete "
            f"{folder / BACKUP} to start anew."
        )


def _drop_cut_line(path):
    """Take away a line that a kill has cut off: the next would go on in it."""
    if path.exists():
        text = path.read_text("utf-8")
        with write_aside(path) as aside:
            aside.write_text(text[: text.rfind("\n") + 1], "utf-8")


def _clear(folder):
    for name in (BACKUP, TENSORBOARD):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (BEST_WEIGHTS, HISTORY, RESULTS):
        (folder / name).unlink(missing_ok=True)
