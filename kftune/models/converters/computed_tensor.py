"""A tensor that is checked, and neither loaded nor written."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class ComputedTensor:
    """A tensor that a file may hold though it follows from the settings.

    Attributes:
        name: `str`, of the tensor.
        values: NumPy array, what it must be.
        unused_rows: `int`, rows of the tensor before the first one that is compared.

    Example:
    ```python
    positions = ComputedTensor("embed_positions.weight", np.zeros((32, 8)))
    positions.shape  # (32, 8)
    ```
    """

    name: str
    values: np.ndarray
    unused_rows: int = 0

    @property
    def shape(self):
        """Tuple of `int`: shape of the tensor in the file."""
        return (self.values.shape[0] + self.unused_rows, *self.values.shape[1:])
