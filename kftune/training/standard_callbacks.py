"""The callbacks of a fine-tuning run, and the files they keep in its folder."""

from pathlib import Path

import keras

from kftune.training.best_weights import BestWeights
from kftune.training.history_logger import HistoryLogger
from kftune.training.run_folder import BEST_WEIGHTS, HISTORY, TENSORBOARD
from kftune.training.scalar_logs import ScalarLogs


def standard_callbacks(folder, monitor="val_loss", mode="min", patience=2):
    """Makes the callbacks of a run.

    They keep under the folder, which `open_run` has made ready: `history.csv`, a line
    an epoch; `tensorboard/`; and `best.weights.h5`, the weights of the best epoch, to
    be loaded after `fit`. `RunCheckpoint` keeps what they remember when a run is
    stopped and goes on, as `fit_run` does. A metric of several numbers gets an entry
    each in the logs: `f1_score_0`, `f1_score_1`, ...

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
    load_best_weights(model, "runs/a/best.weights.h5")
    ```
    """
    folder = Path(folder)
    return [
        ScalarLogs(),
        BestWeights(folder / BEST_WEIGHTS, monitor, mode),
        keras.callbacks.EarlyStopping(monitor, patience=patience, mode=mode, verbose=1),
        HistoryLogger(folder / HISTORY, append=True),
        keras.callbacks.TensorBoard(folder / TENSORBOARD),
    ]
