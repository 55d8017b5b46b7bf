"""Batches of rows of about one length, in a few fixed shapes."""

import copy

import keras
import numpy as np

from kftune.data.bucketed_batches import BucketedBatches
from kftune.data.buckets import check_boundaries, learn_boundaries
from kftune.data.tokenised_rows import TokenisedRows


class LengthBucketed(BucketedBatches):
    """Tokenised rows in batches of a few fixed lengths, for `fit` on every backend.

    Rows of about one length share a batch, so little is padding, and the batches have
    few shapes, so little is compiled: at most one shape a bucket, and one more for the
    single batch that may be smaller. Batches are padded on the right.

    A batch is `(x,)`, `(x, y)` or `(x, y, sample_weight)`; `x` holds `"token_ids"`,
    int32 of shape `(B, T)`, `"padding_mask"`, bool of the same shape, True where a real
    token stands, and any further columns, int32 of that shape, padded with 0.

    The order of an epoch depends on `seed` and the epoch's number alone. `fit` shuffles
    the batches once more, from Python's global random state, unless it is told
    `shuffle=False`; pass that to let the seed decide alone. Epochs are counted by
    `on_epoch_end`, which Keras calls once before the first epoch, or follow `fit`'s own
    numbers with the callback `kftune.training.DataPosition`, which a restored position
    needs. Leave `steps_per_epoch` unset, and give `evaluate` a dataset of its own.

    Args:
        x: sequence of N one-dimensional integer arrays or lists (a column of a
            `datasets.Dataset` is read batch by batch), or a `dict` of such
            sequences, with `"token_ids"` among them and equal lengths row by row.
        y: array of shape `(N, ...)`, a `dict` of such arrays, or `None`.
        sample_weight: array of shape `(N,)`, a `dict` of such arrays, or `None`.
        batch_size: `int`. Rows a batch, whatever their length.
        max_tokens: `int` or `None`. Tokens a batch, padding included, in place of
            `batch_size`: short rows come in larger batches.
        boundaries: ascending integers, the padded lengths; by default chosen for the
            least padding.
        max_buckets: `int`. How many padded lengths are chosen without `boundaries`.
        shuffle: `bool`. Whether rows and batches are shuffled, differently each epoch.
        seed: `int`. Of the shuffle.
        drop_remainder: `bool`. Leave out the one batch that is smaller; which rows
            that is differs by epoch.
        pad_token_id: `int`. Stands in `"token_ids"` behind the end of a row.

    Raises:
        ValueError: if lengths do not match, a row is empty or longer than the last
            boundary, boundaries do not ascend, or there is no batch at all.

    Example:
    ```python
    rows = [[5, 6, 7], [5, 6], [8] * 20, [9] * 18]
    data = kftune.data.LengthBucketed(rows, [0, 1, 1, 0], batch_size=2)
    print(data)  # 4 rows in 2 batches of 2, padded to 8, 20 tokens: 23.2% padding
    model.fit(data, epochs=3, shuffle=False)
    ```
    """

    def __init__(
        self,
        x,
        y=None,
        sample_weight=None,
        *,
        batch_size=32,
        max_tokens=None,
        boundaries=None,
        max_buckets=4,
        shuffle=True,
        seed=0,
        drop_remainder=False,
        pad_token_id=0,
    ):
        self._rows = self._texts = TokenisedRows(x, y, sample_weight, pad_token_id)
        lengths = self._rows.lengths
        if boundaries is None:
            boundaries = learn_boundaries(lengths, max_buckets)
        super().__init__(
            lengths,
            check_boundaries(boundaries, lengths),
            batch_size=batch_size,
            max_tokens=max_tokens,
            shuffle=shuffle,
            seed=seed,
            drop_remainder=drop_remainder,
        )

    def build_batch(self, plan):
        """The rows of a batch, padded."""
        length, rows = plan
        return self._rows.batch(rows, length)

    def fingerprint(self):
        """Hashes the rows and their targets."""
        return self._texts.fingerprint(targets=True)

    @property
    def rows(self):
        """The `TokenisedRows` that the batches are built of."""
        return self._rows

    def with_rows(self, rows):
        """Gives the same batches, in the same order, with something else as `x`.

        Args:
            rows: object with `targets` and `batch(rows, length)`, as the `rows` of this
                dataset have them, for the same N rows.

        Returns:
            `LengthBucketed`, at the position of this one, and independent of it.
        """
        other = copy.copy(self)
        other._rows = rows
        return other

    @property
    def known_labels(self):
        """The targets `y` of all rows; a classifier checks them before it trains."""
        return self._rows.targets

    def restore_order(self, outputs):
        """Puts what `predict` returned into the order of the rows.

        Args:
            outputs: array of shape `(N, ...)` or a structure of such arrays.

        Returns:
            The same structure of NumPy arrays, row i belonging to row i of `x`.

        Raises:
            ValueError: if this dataset shuffles or drops rows, or the number of
                output rows is not N.

        Example:
        ```python
        data = kftune.data.LengthBucketed(rows, shuffle=False)
        logits = data.restore_order(model.predict(data))
        ```
        """
        if self.shuffle or self.drop_remainder:
            raise ValueError(
                "Expected a dataset that keeps its order, with shuffle=False and "
                f"drop_remainder=False. Received: shuffle={self.shuffle}, "
                f"drop_remainder={self.drop_remainder}"
            )
        position = np.argsort(self.order)
        return keras.tree.map_structure(
            lambda output: _reordered(output, position), outputs
        )


def _reordered(output, order):
    """Sorts one output by `order`."""
    output = keras.ops.convert_to_numpy(output)
    if len(output) != len(order):
        raise ValueError(
            f"Expected one output a row, {len(order)}. Received: {len(output)}"
        )
    return output[order]
