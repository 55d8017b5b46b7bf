"""Tells how long `fit` took to its first step."""

import time

import keras


class FirstStepTime(keras.callbacks.Callback):
    """Prints the seconds from the start of training to the start of the second step.

    That is the time in which Keras traces the training step, XLA compiles it and it
    runs once: what a user waits for before anything moves. With XLA every further
    batch shape is compiled when it first comes.

    Attributes:
        seconds: `float`, or `None` before the second step; of the first `fit` that
            came so far.

    Example:
    ```python
    model.fit(data, callbacks=[kftune.training.FirstStepTime()])
    # First step after 10.6 s.
    ```
    """

    def __init__(self):
        super().__init__()
        self.seconds = None

    def on_train_begin(self, logs=None):
        """Starts the clock."""
        self._steps = 0
        self._start = time.perf_counter()

    # A callback at the end of a batch would make JAX wait for the result of every
    # step; the beginning of the next one costs nothing.
    def on_train_batch_begin(self, batch, logs=None):
        """Stops the clock at the second step and prints."""
        if self._steps == 1 and self.seconds is None:
            self.seconds = time.perf_counter() - self._start
            # Keras's progress bar has left the cursor inside a line.
            print(f"\nFirst step after {self.seconds:.1f} s.")
        self._steps += 1
