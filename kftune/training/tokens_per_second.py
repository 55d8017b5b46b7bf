"""How many tokens a second a training reads."""

import time

import keras
import numpy as np


class TokensPerSecond(keras.callbacks.Callback):
    """Adds `tokens_per_second` to each epoch's logs.

    Real tokens count, padding does not. The time from an epoch's begin to its last
    batch counts, so compilation slows the first epoch, and validation slows none.

    Before each epoch its batches are built once more to be counted, which takes about
    a millisecond a batch. Let it stand behind `DataPosition`, which tells the dataset
    which epoch that is.

    Args:
        dataset: the `keras.utils.PyDataset` that `fit` gets, such as
            `kftune.data.LengthBucketed`.
        mask_name: str, `x[mask_name]` of a batch, bool [B, T], is True where a real
            token stands: `"decoder_padding_mask"` counts those of targets.

    Example:
    ```python
    callbacks = [DataPosition(data), TokensPerSecond(data)]
    model.fit(data, shuffle=False, callbacks=callbacks)
    ```
    """

    def __init__(self, dataset, mask_name="padding_mask"):
        super().__init__()
        self.mask_name = mask_name
        self.dataset = dataset

    def on_epoch_begin(self, epoch, logs=None):
        """Counts the tokens and starts the clock."""
        self._tokens = sum(
            int(np.count_nonzero(self.dataset[index][0][self.mask_name]))
            for index in range(self.params["steps"])
        )
        self._began = self._ended = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Notes the time."""
        self._ended = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Writes the rate into `logs`."""
        if logs is not None:
            logs["tokens_per_second"] = self._tokens / (self._ended - self._began)
