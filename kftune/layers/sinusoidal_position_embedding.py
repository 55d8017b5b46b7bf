"""Positions as sines and cosines of many wavelengths."""

import keras
import numpy as np
from keras import ops

_MAX_WAVELENGTH = 10000.0
LAYOUTS = ("sinusoidal", "sinusoidal_fairseq", "sinusoidal_interleaved")


@keras.saving.register_keras_serializable(package="kftune")
class SinusoidalPositionEmbedding(keras.layers.Layer):
    """Tells positions by sines and cosines (Vaswani et al. 2017); nothing to train.

    The table is computed, not saved. Letters: B batch, T length, D hidden.

    Args:
        sequence_length: `int`. Positions in the table, from 0.
        layout: `str`. `"sinusoidal_interleaved"` alternates sine and cosine, as in the
            paper; `"sinusoidal"` puts all sines before all cosines, as Marian does;
            `"sinusoidal_fairseq"` does so with wavelengths up to exactly 10000·2π, as
            fairseq and M2M100.
        **kwargs: Passed to `keras.layers.Layer`.

    Call arguments:
        inputs: float tensor `(B, T, D)`, for its shape only.
        start_index: `int` or scalar `int32` tensor. Position of the first token;
            `start_index + T` is at most `sequence_length`.

    Returns:
        Float tensor `(1, T, D)`, which broadcasts to the inputs.

    Raises:
        ValueError: if there is no such layout.

    Example:
    ```python
    positions = SinusoidalPositionEmbedding(512)
    x = np.ones((2, 5, 8), "float32")
    x + positions(x)  # (2, 5, 8)
    ```
    """

    def __init__(self, sequence_length, layout="sinusoidal", **kwargs):
        super().__init__(**kwargs)
        if layout not in LAYOUTS:
            raise ValueError(
                f"Expected layout to be one of {LAYOUTS}. Received: layout={layout!r}"
            )
        self.sequence_length = sequence_length
        self.layout = layout

    def build(self, input_shape):
        """Computes the table `(sequence_length, D)`."""
        self._table = sinusoids(self.sequence_length, input_shape[-1], self.layout)

    def call(self, inputs, start_index=0):
        """See the class."""
        length, width = ops.shape(inputs)[1], self._table.shape[1]
        table = ops.convert_to_tensor(self._table, dtype=self.compute_dtype)
        return ops.slice(table, (start_index, 0), (length, width))[None]

    def compute_output_spec(self, inputs, start_index=0):
        """`(1, T, D)`."""
        return keras.KerasTensor((1, *inputs.shape[1:]), dtype=self.compute_dtype)

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "sequence_length": self.sequence_length,
            "layout": self.layout,
        }


def sinusoids(length, width, layout):
    """Computes sines and cosines of positions.

    Args:
        length: `int`. L.
        width: `int`. D. If it is odd, there is one sine more than cosines, and with
            fairseq's layout a last column of zeros.
        layout: `str`, see `SinusoidalPositionEmbedding`.

    Returns:
        `float32` array `(L, D)`.
    """
    fairseq = layout == "sinusoidal_fairseq"
    pairs = width // 2 if fairseq else (width + 1) // 2
    last = max(pairs - 1, 1) if fairseq else width / 2
    angles = np.arange(length)[:, None] * _MAX_WAVELENGTH ** (-np.arange(pairs) / last)
    table = np.zeros((length, width), "float32")
    if layout == "sinusoidal_interleaved":
        table[:, 0::2] = np.sin(angles)
        table[:, 1::2] = np.cos(angles)[:, : width // 2]
        return table
    table[:, :pairs] = np.sin(angles)
    table[:, pairs : pairs + width // 2] = np.cos(angles)[:, : width // 2]
    return table
