"""The callbacks of a fine-tuning run, and the files they keep in its folder."""

from pathlib import Path

import keras

from kftune.training.run_folder import (
    BACKUP,
    BEST_WEIGHTS,
    HISTORY,
    TENSORBOARD,
    read_history,
)


def standard_callbacks(folder, monitor="val_loss", mode="min", patience=2):
    """Make Keras's callbacks for a run that can be stopped and goes on.

    They keep under the folder, which `open_run` has made ready: `history.csv`, a line
    an epoch; `tensorboard/`; `best.weights.h5`, the weights of the best epoch, to be
    loaded after `fit`; and, until the training ends, `backup/`. When `backup/` is
    there, `fit` goes on from the last whole epoch, and no later epoch replaces the
    best weights unless it is better; patience counts anew. The state of dropout's
    random generators is not kept.

    Args:
        folder: str or path of the run.
        monitor: str, the log entry that tells the best epoch.
        mode: `"min"` or `"max"`: which end of it is good.
        patience: int, epochs without progress before the training stops.

    Returns:
        List of `keras.callbacks.Callback`.

    Raises:
        ValueError: If `mode` is neither `"min"` nor `"max"`.

    Example:
    ```python
    open_run("runs/a", {"epochs": 9})
    model.fit(x, y, epochs=9, callbacks=standard_callbacks("runs/a", monitor="loss"))
    model.load_weights("runs/a/best.weights.h5")
    ```
    """
    if mode not in ("min", "max"):
        raise ValueError(f"Expected mode 'min' or 'max'. Received: {mode!r}")
    folder = Path(folder)
    values = read_history(folder).get(monitor)
    best = {"min": min, "max": max}[mode](values) if values else None
    return [
        keras.callbacks.ModelCheckpoint(
            folder / BEST_WEIGHTS,
            monitor=monitor,
            mode=mode,
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=best,
        ),
        keras.callbacks.EarlyStopping(
            monitor, patience=patience, mode=mode, baseline=best, verbose=1
        ),
        keras.callbacks.CSVLogger(folder / HISTORY, append=True),
        keras.callbacks.TensorBoard(folder / TENSORBOARD),
        # Last: an epoch that is in the backup has left all its other traces. Twice: a
        # kill while one is written leaves the other.
        keras.callbacks.BackupAndRestore(folder / BACKUP, double_checkpoint=True),
    ]
