"""Positions as sines and cosines, which no training changes and no file holds."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="kftune")
class SinusoidalPositionEmbedding(keras.layers.Layer):
    """Embeds positions as sines and cosines of growing wavelengths.

    Call arguments are those of `keras_hub.layers.PositionEmbedding`, the learned
    kind, so that a backbone may take either. The layer has no weights. The table is
    computed in float64, as `transformers` does for Marian.

    Letters: B batch, T length, D hidden.

    Args:
        sequence_length: `int`. How many positions there are.
        layout: `str`. `"halves"` puts all sines before all cosines (Marian, M2M100),
            `"interleaved"` takes them in turns (the paper).
        max_wavelength: `float`. The wavelengths grow from 2π to 2π times this.
        reach_max_wavelength: `bool`. True gives the last pair of channels exactly
            `max_wavelength` (M2M100), False stops one pair before it (the paper,
            Marian).
        **kwargs: Passed to `keras.layers.Layer`.

    Call arguments:
        inputs: float tensor of shape `(B, T, D)`, of which only the shape is used.
        start_index: `int` or `int32` scalar tensor. Index of the first token, when
            tokens are decoded a step.
        positions: `int32` tensor of shape `(T,)` or `(B, T)`. Index of each token, in
            place of `start_index`.

    Returns:
        Float tensor of shape `(B, T, D)`.

    Raises:
        ValueError: if `layout` is not one of the two, D is odd, or the tokens reach
            beyond `sequence_length`. In tensors that compiled code computes nobody
            can notice the latter: `positions` then stay at the last, and what lies
            beyond with such a `start_index` depends on the backend.

    Reference: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762

    Example:
    ```python
    embed = SinusoidalPositionEmbedding(sequence_length=512)
    embed(np.zeros((2, 3, 4)))[0, 0]  # [0.0, 0.0, 1.0, 1.0]
    ```
    """

    def __init__(
        self,
        sequence_length,
        layout="halves",
        *,
        max_wavelength=10000.0,
        reach_max_wavelength=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if layout not in {"halves", "interleaved"}:
            raise ValueError(
                "Expected layout to be 'halves' or 'interleaved'. "
                f"Received: layout={layout!r}"
            )
        self.sequence_length = sequence_length
        self.layout = layout
        self.max_wavelength = max_wavelength
        self.reach_max_wavelength = reach_max_wavelength
        self.supports_masking = True

    def build(self, inputs_shape):
        """Computes the table.

        Args:
            inputs_shape: shape `(B, T, D)`.
        """
        hidden_dim = inputs_shape[-1]
        if hidden_dim % 2:
            raise ValueError(
                "Expected an even hidden size, a sine and a cosine each. "
                f"Received: inputs_shape={inputs_shape}"
            )
        pairs = hidden_dim // 2
        steps = max(pairs - 1, 1) if self.reach_max_wavelength else pairs
        wavelengths = self.max_wavelength ** (np.arange(pairs) / steps)
        positions = np.arange(self.sequence_length)
        angles = positions[:, None] / wavelengths  # (sequence_length, D / 2)
        axis = 1 if self.layout == "halves" else 2
        table = np.stack([np.sin(angles), np.cos(angles)], axis)
        self._table = table.reshape(-1, hidden_dim).astype("float32")

    def call(self, inputs, start_index=0, positions=None):
        """See the class."""
        shape = ops.shape(inputs)
        table = ops.convert_to_tensor(self._table, dtype=self.compute_dtype)
        if positions is None:
            self._check_length(start_index, shape[1])
            rows = ops.slice(table, (start_index, 0), (shape[1], shape[2]))
        else:
            last = self.sequence_length - 1
            rows = ops.take(table, ops.clip(positions, 0, last), axis=0)
        return ops.broadcast_to(rows, shape)

    def _check_length(self, start_index, length):
        known = isinstance(start_index, int) and isinstance(length, int)
        if known and start_index + length > self.sequence_length:
            raise ValueError(
                f"Expected at most sequence_length={self.sequence_length} positions. "
                f"Received: {length} tokens from start_index={start_index}"
            )

    def compute_output_spec(self, inputs, start_index=0, positions=None):
        """Like `inputs`."""
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "sequence_length": self.sequence_length,
            "layout": self.layout,
            "max_wavelength": self.max_wavelength,
            "reach_max_wavelength": self.reach_max_wavelength,
        }
