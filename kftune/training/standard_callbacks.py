"""The callbacks of a fine-tuning run, and the files they keep in its folder."""

import csv
from pathlib import Path

import keras

BEST_WEIGHTS = "best.weights.h5"


def standard_callbacks(folder, monitor="val_loss", mode="min", patience=2):
    """Make Keras's callbacks for a run that can be stopped and goes on.

    They keep under the folder: `history.csv`, a line an epoch; `tensorboard/`;
    `best.weights.h5`, the weights of the best epoch, to be loaded after `fit`; and,
    until the training ends, `backup/`. When `backup/` is there, `fit` goes on from the
    last whole epoch, and the best epoch so far counts.

    Args:
        folder: str or path, made when missing.
        monitor: str, the log entry that tells the best epoch.
        mode: `"min"` or `"max"`: which end of it is good.
        patience: int, epochs without progress before the training stops.

    Returns:
        List of `keras.callbacks.Callback`.

    Raises:
        ValueError: If `mode` is neither `"min"` nor `"max"`.

    Example:
    ```python
    model.fit(x, y, epochs=9, callbacks=standard_callbacks("runs/a", monitor="loss"))
    model.load_weights("runs/a/best.weights.h5")
    ```
    """
    if mode not in ("min", "max"):
        raise ValueError(f"Expected mode 'min' or 'max'. Received: {mode!r}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    resumed = (folder / "backup").exists()
    best = _best(folder, monitor, mode) if resumed else None
    stop = keras.callbacks.EarlyStopping(
        monitor, patience=patience, mode=mode, baseline=best, verbose=1
    )
    checkpoint = keras.callbacks.ModelCheckpoint(
        folder / BEST_WEIGHTS,
        monitor=monitor,
        mode=mode,
        save_best_only=True,
        save_weights_only=True,
        initial_value_threshold=best,
    )
    return [
        keras.callbacks.BackupAndRestore(folder / "backup"),
        checkpoint,
        stop,
        keras.callbacks.CSVLogger(folder / "history.csv", append=resumed),
        keras.callbacks.TensorBoard(folder / "tensorboard"),
    ]


def read_history(folder):
    """Read what each epoch of a run logged, those before a stop included.

    Args:
        folder: str or path of the run.

    Returns:
        Dict of log entry to list of float, one an epoch; empty without `history.csv`.
    """
    path = Path(folder) / "history.csv"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = rows[0].keys() - {"epoch"} if rows else ()
    return {name: [float(row[name]) for row in rows] for name in sorted(names)}


def _best(folder, monitor, mode):
    """The best value so far, or `None` when no epoch has ended."""
    values = read_history(folder).get(monitor)
    return {"min": min, "max": max}[mode](values) if values else None
