"""Length-bucketed rows that are their own labels: each token predicts the next."""

import keras
import numpy as np

from kftune.data.length_bucketed import LengthBucketed


class NextTokenBatches(LengthBucketed):
    """`LengthBucketed` rows with the next tokens among the labels.

    A batch is `(x, y, sample_weight)`; `y["next_token"]`, int32 [B, T], is
    `x["token_ids"]` one step to the left, and `sample_weight["next_token"]`, float32
    [B, T], is 1 where a real token follows and 0 elsewhere. Labels and weights that
    are given, dicts, stand beside them.

    Args:
        x: as for `LengthBucketed`.
        y: dict of arrays [N, ...], or `None`.
        sample_weight: dict of arrays [N], or `None`.
        **kwargs: as for `LengthBucketed`.

    Example:
    ```python
    data = NextTokenBatches([[5, 6, 7], [5, 6]], batch_size=2)
    x, y, sample_weight = data[0]
    ```
    """

    def build_batch(self, plan):
        """Builds a batch, see the class."""
        batch = super().build_batch(plan)
        x, y, weights = keras.utils.unpack_x_y_sample_weight(batch)
        targets = np.zeros_like(x["token_ids"])
        targets[:, :-1] = x["token_ids"][:, 1:]
        follows = np.zeros(targets.shape, "float32")
        follows[:, :-1] = x["padding_mask"][:, 1:]
        y = {"next_token": targets, **(y or {})}
        return x, y, {"next_token": follows, **(weights or {})}
