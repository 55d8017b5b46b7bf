"""The folder of a run: new, or that of a stopped run that goes on."""

import csv
import json
import shutil
from pathlib import Path

from kftune.error_text import differences, first_few
from kftune.files import remove_asides, remove_at_once, write_aside
from kftune.training.checkpoint_folder import CheckpointFolder, position_of
from kftune.training.overwriting import is_overwriting
from kftune.training.run_lock import lock_run, unlock_run

AVERAGES = "epochs"
BEST_WEIGHTS = "best.weights.h5"
BEST_LORA = "best.lora.npz"  # beside it, of models with LoRA
CHECKPOINTS = "checkpoints"
HISTORY = "history.csv"
RESULTS = "results.json"
TENSORBOARD = "tensorboard"
SETTINGS = "settings.json"
_CLEARED = (
    CHECKPOINTS,
    AVERAGES,
    TENSORBOARD,
    RESULTS,
    BEST_WEIGHTS,
    BEST_LORA,
    HISTORY,
)
# Where a run lies changes nothing of what comes out.
_ALWAYS_DIFFERS = ("out",)
_ANEW = (
    "To make it anew, give a recipe --overwrite, or call open_run in a block of "
    "kftune.training.overwriting()."
)


def open_run(folder, settings, may_differ=()):
    """Makes ready the folder of a run, and tells whether a stopped one goes on.

    A run goes on from its newest checkpoint if it was started with the same settings;
    `history.csv` is cut to the epochs in it. A run that has ended is left alone: it is
    an error to open it again, unless more of it is to be trained, by a setting that may
    differ, and `close_run` has not removed its checkpoints. In a block of
    `overwriting`, and with `--overwrite` of a recipe, all is discarded instead. Call
    this when all that can be wrong with the data has been found.

    Args:
        folder: str or path, made when missing.
        settings: dict of what the training depends on, written to `settings.json`.
            `"out"`, where the run lies, may always differ.
        may_differ: names of settings that may change when a run goes on.

    Returns:
        bool, `True` if a stopped run goes on.

    Raises:
        FileExistsError: If a run with these settings has ended, or if the folder holds
            files under the names of a run's that no run made.
        ValueError: If the run there has other settings; lists them all.
        BlockingIOError: If another process trains in the folder.
        OSError: If all checkpoints are damaged.

    Example:
    ```python
    open_run("runs/reviews", {"epochs": 3, "seed": 0})
    ```
    """
    folder, settings = Path(folder), _plain(settings)
    folder.mkdir(parents=True, exist_ok=True)
    was_ours = lock_run(folder)
    try:
        return _make_ready(folder, settings, may_differ)
    except BaseException:
        if not was_ours:  # the next one is not kept waiting for a run that is none
            unlock_run(folder)
        raise


def _make_ready(folder, settings, may_differ):
    """What `open_run` does in a locked folder."""
    _check_is_ours(folder)
    if is_overwriting():
        _clear(folder)
    for part in (folder, folder / AVERAGES):
        remove_asides(part)
    checkpoint = CheckpointFolder(folder / CHECKPOINTS).newest()
    has_ended = (folder / RESULTS).exists()
    costly = any((folder / name).exists() for name in (BEST_WEIGHTS, AVERAGES))
    if checkpoint is not None or has_ended or costly:
        can_go_on = checkpoint is not None or not has_ended
        _check(folder, settings, may_differ, can_go_on)
    if checkpoint is None:
        _clear(folder)
    else:
        epochs, steps = position_of(checkpoint)
        (folder / RESULTS).unlink(missing_ok=True)
        _cut_history(folder / HISTORY, epochs)
        further = f" and {steps} steps" if steps else ""
        print(f"{folder}: going on after {epochs} epochs{further}")
    _write_settings(folder, settings)
    return checkpoint is not None


def drop_weights(folder):
    """Removes all weights of a run that is not worth going on with.

    Args:
        folder: str or path of the run.
    """
    close_run(folder)
    shutil.rmtree(Path(folder) / AVERAGES, ignore_errors=True)
    for name in (BEST_WEIGHTS, BEST_LORA):
        (Path(folder) / name).unlink(missing_ok=True)


def close_run(folder):
    """Removes the checkpoints of a run that has ended, and frees its folder.

    Call it after the results were written.

    Args:
        folder: str or path of the run.

    Example:
    ```python
    kftune.evaluation.write_results("runs/a/results.json", settings=settings)
    close_run("runs/a")
    ```
    """
    # A kill must not leave a damaged one in a run that has ended.
    remove_at_once(Path(folder) / CHECKPOINTS)
    unlock_run(folder)


def open_runs(folder, settings, may_differ=()):
    """Makes ready a folder of several runs, which goes on if it was stopped.

    In a block of `overwriting`, and with `--overwrite` of a recipe, `read_finished`
    then finds none of its runs.

    Args:
        folder: str or path, made when missing; each run has a folder in it.
        settings: dict of what all runs depend on, written to `settings.json`. `"out"`
            may always differ.
        may_differ: names of settings that may change when it goes on, such as the list
            of runs: those that have ended are kept.

    Raises:
        FileExistsError: If all of it has ended with these settings, or if runs in it
            were not made together.
        ValueError: If it has other settings; lists them all.

    Example:
    ```python
    open_runs("runs/seeds", {"epochs": 3, "seeds": [0, 1]}, may_differ=["seeds"])
    ```
    """
    folder, settings = Path(folder), _plain(settings)
    results = [*folder.glob(f"*/{RESULTS}"), *folder.glob(RESULTS)]
    if results and not (folder / SETTINGS).exists():
        found = first_few([str(path.parent) for path in results], show=str)
        raise FileExistsError(
            "Expected an empty folder, or one of runs that were made together, with "
            f"{SETTINGS}. Received: {folder} with the results of {found}. Choose "
            "another folder."
        )
    if is_overwriting():
        for path in [*results, folder / SETTINGS]:
            path.unlink(missing_ok=True)
    elif (folder / SETTINGS).exists():
        _check(folder, settings, may_differ, can_go_on=True)
    (folder / RESULTS).unlink(missing_ok=True)
    _write_settings(folder, settings)


def read_finished(folder, settings):
    """Reads the results of a run that ended, if it had the same settings.

    Such a run is not repeated, by recipes of several runs and by `run_recipe`.

    Args:
        folder: str or path of the run.
        settings: dict, those that `kftune.evaluation.write_results` was given. `"out"`
            may differ.

    Returns:
        Dict of `results.json`, or `None` if there is none, or if it is of other
        settings.

    Example:
    ```python
    results = read_finished("runs/seeds/0", {"epochs": 3, "seed": 0})
    if results is None:
        ...  # train it
    ```
    """
    path = Path(folder) / RESULTS
    if not path.exists():
        return None
    results = json.loads(path.read_text("utf-8"))
    if not isinstance(results, dict):
        return None
    differing = differences(
        results.get("settings", {}), _plain(settings), _ALWAYS_DIFFERS
    )
    return None if differing else results


def read_history(folder):
    """Read what each epoch of a run logged, those before a stop included.

    Args:
        folder: str or path of the run.

    Returns:
        Dict of log entry to list of float, one an epoch, NaN where it was not logged;
        empty without epochs.

    Example:
    ```python
    best = max(read_history("runs/a")["val_accuracy"])
    ```
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
    """Whole rows of the history."""
    path = folder / HISTORY
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if all(row.values())]


def _check(folder, settings, may_differ, can_go_on):
    """Raises if a run has ended already, or differs in what may not."""
    path = folder / SETTINGS
    before = json.loads(path.read_text("utf-8")) if path.exists() else {}
    has_ended = (folder / RESULTS).exists()
    changed = differences(before, settings, _ALWAYS_DIFFERS)
    if has_ended and not changed:
        raise FileExistsError(
            f"Expected a new run, or one that was stopped. Received: {folder} holds "
            f"one with these settings that has ended, see {RESULTS} there. {_ANEW}"
        )
    if can_go_on:
        changed = differences(before, settings, [*_ALWAYS_DIFFERS, *may_differ])
    if changed:
        raise ValueError(
            f"{folder} holds a run with other settings, which "
            f"{'has ended' if has_ended else 'was stopped'}: {'; '.join(changed)}. "
            f"Use the same ones, choose another folder, or discard it. {_ANEW}"
        )


def _check_is_ours(folder):
    """Raises if what would be cleared away is of no run: that has its settings."""
    found = [name for name in _CLEARED if (folder / name).exists()]
    if found and not (folder / SETTINGS).exists():
        raise FileExistsError(
            f"Expected the folder of a run, or one without {', '.join(found)}. "
            f"Received: {folder}, where no {SETTINGS} tells that a run made them. "
            "Choose another folder."
        )
    if foreign := CheckpointFolder(folder / CHECKPOINTS).foreign():
        raise FileExistsError(
            "Expected the folder of a run, or an empty one. Received: "
            f"{folder / CHECKPOINTS} with {first_few(foreign)}, which no run writes. "
            "Choose another folder."
        )


def _cut_history(path, epochs):
    """Takes away what was logged after a checkpoint, and a line that a kill cut off."""
    if not path.exists():
        return
    # Bytes: the line ends stay as they are.
    logged = path.read_bytes()
    whole = logged[: logged.rfind(b"\n") + 1].splitlines(keepends=True)
    kept = whole[:1] + [x for x in whole[1:] if int(x.partition(b",")[0]) < epochs]
    with write_aside(path) as aside:
        aside.write_bytes(b"".join(kept))


def _plain(settings):
    return json.loads(json.dumps(settings, default=str))


def _write_settings(folder, settings):
    with write_aside(folder / SETTINGS) as aside:
        aside.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")


def _clear(folder):
    """Removes what a run left, first what it could go on from.

    Other files of a recipe stay until it replaces them; who reads its model looks first
    whether there are results.
    """
    for name in (*_CLEARED, SETTINGS):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name, ignore_errors=True)
        else:
            (folder / name).unlink(missing_ok=True)
