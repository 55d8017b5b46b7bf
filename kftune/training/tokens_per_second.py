"""How many tokens a second a training reads."""

import time

import keras


class TokensPerSecond(keras.callbacks.Callback):
    """Adds `tokens_per_second` to each epoch's logs.

    The time from an epoch's begin to its last batch counts, so compilation slows the
    first epoch, and validation slows none.

    Args:
        tokens: int, the tokens of an epoch.

    Raises:
        ValueError: If `tokens` is less than 1.

    Example:
    ```python
    tokens = int(np.sum(padding_mask))
    model.fit(x, y, callbacks=[TokensPerSecond(tokens)])
    ```
    """

    def __init__(self, tokens):
        super().__init__()
        if tokens < 1:
            raise ValueError(f"`tokens` must be at least 1. Received: {tokens}")
        self.tokens = tokens

    def on_epoch_begin(self, epoch, logs=None):
        """Starts the clock."""
        self._began = self._ended = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Notes the time."""
        self._ended = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Writes the rate into `logs`."""
        if logs is not None:
            logs["tokens_per_second"] = self.tokens / (self._ended - self._began)
