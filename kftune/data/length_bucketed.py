"""Batches of rows of about one length, in a few fixed shapes."""

import keras
import numpy as np

from kftune.data.buckets import (
    batch_sizes,
    check_boundaries,
    learn_boundaries,
    plan_batches,
)
from kftune.data.tokenised_rows import TokenisedRows


class LengthBucketed(keras.utils.PyDataset):
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
        # A batch takes about a millisecond, so there is no setting for workers: with
        # more than one, Keras hands batches of one epoch on to the next.
        super().__init__()
        self._rows = TokenisedRows(x, y, sample_weight, pad_token_id)
        self._lengths = self._rows.lengths
        if boundaries is None:
            boundaries = learn_boundaries(self._lengths, max_buckets)
        self.boundaries = check_boundaries(boundaries, self._lengths)
        self.batch_sizes = batch_sizes(self.boundaries, batch_size, max_tokens)
        self.shuffle = shuffle
        self.seed = seed
        self.drop_remainder = drop_remainder
        self._restored = None
        self._set_epoch(0)
        if not self._batches:
            raise ValueError(
                f"Expected at least one batch of {self._sizes()} rows. Received "
                f"{len(self._lengths)} rows and drop_remainder={drop_remainder}."
            )

    # === Batches

    def __len__(self):
        """Batches in a whole epoch, the same number in every epoch."""
        return len(self._batches)

    @property
    def num_batches(self):
        """Batches that are left in this epoch: all, unless it was restored midway."""
        return self._num_batches

    def __getitem__(self, index):
        """Builds the batch at `index`, counted from where the epoch starts.

        Args:
            index: `int`, 0 to `num_batches - 1`.

        Returns:
            `(x,)`, `(x, y)` or `(x, y, sample_weight)`, see the class.

        Raises:
            IndexError: if there is no such batch.
        """
        if not 0 <= index < self.num_batches:
            raise IndexError(
                f"Expected a batch from 0 to {self.num_batches - 1}. Received: {index}"
            )
        length, rows = self._batches[self._first + index]
        return self._rows.batch(rows, length)

    @property
    def padding_share(self):
        """Share of all tokens that is padding, 0 to 1, over one epoch."""
        padded = sum(length * len(rows) for length, rows in self._batches)
        return 1 - self._lengths[self.order].sum() / padded

    def __str__(self):
        """One line: rows, batches, padded lengths and padding."""
        shapes = ", ".join(map(str, self.boundaries))
        return (
            f"{len(self._lengths)} rows in {len(self)} batches of {self._sizes()}, "
            f"padded to {shapes} tokens: {self.padding_share:.1%} padding"
        )

    # === Order of the outputs

    @property
    def order(self):
        """Row index of each output row of this epoch, int64 of shape `(N,)`."""
        return np.concatenate([rows for _, rows in self._batches])

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

    # === Position

    @property
    def epoch(self):
        """Number of the epoch whose order is in force, from 0."""
        return self._epoch

    def begin_epoch(self, epoch):
        """Takes the order of this epoch, from its restored batch or from its first.

        Args:
            epoch: `int`, from 0.

        Raises:
            ValueError: if another epoch was restored.
        """
        state, self._restored = self._restored, None
        if state and state["epoch"] != epoch:
            raise ValueError(
                f"Expected training to go on in the restored epoch {state['epoch']} "
                f"(`fit(initial_epoch={state['epoch']})`). Received: epoch={epoch}"
            )
        self._set_epoch(epoch, state["batch"] if state else 0)

    def mark_trained(self, num_batches):
        """Notes for `state` how many batches were trained since the epoch began.

        Args:
            num_batches: `int`, 0 to the `num_batches` of this epoch.
        """
        self._trained = num_batches

    def on_epoch_begin(self):
        """Called by Keras at the beginning of an epoch.

        Raises:
            RuntimeError: if a position was restored and nothing took it up.
        """
        # Keras builds a model in an epoch of its own, before it ends "the last" one.
        if self._restored and self._epoch != self._restored["epoch"]:
            raise RuntimeError(
                "Expected kftune.training.DataPosition among the callbacks of fit "
                f"after restore(). Received an epoch without it; restored is epoch "
                f"{self._restored['epoch']}, batch {self._restored['batch']}."
            )

    def on_epoch_end(self):
        """Goes on to the next epoch's order; called by Keras."""
        self._set_epoch(self._epoch + 1)

    def state(self):
        """The position in the training data.

        Returns:
            `dict` of JSON's types: `"epoch"`, from 0, `"batch"`, how many of its
            batches were trained, and the `"settings"` that the order depends on.
        """
        if self._restored:
            return {**self._restored, "settings": self._settings()}
        epochs, batch = divmod(self._first + self._trained, len(self))
        epoch = self._epoch + epochs
        return {"epoch": epoch, "batch": batch, "settings": self._settings()}

    def restore(self, state):
        """Makes the next `fit` train the rest of an epoch, from a saved position.

        Keras wants as many batches in every epoch of a `fit`, so the rest of an epoch
        is a `fit` of its own:

        ```python
        data.restore(state)
        settings = {"shuffle": False, "callbacks": [DataPosition(data)]}
        epoch = state["epoch"]
        model.fit(data, initial_epoch=epoch, epochs=epoch + 1, **settings)
        model.fit(data, initial_epoch=epoch + 1, epochs=epochs, **settings)
        ```

        Args:
            state: `dict` that `state` returned, here or in another process.

        Raises:
            ValueError: if rows, seed, batch size or lengths are not the same.
        """
        mine, theirs = self._settings(), state["settings"]
        differing = [
            f"{key}: expected {theirs.get(key)}, received {mine[key]}"
            for key in mine
            if theirs.get(key) != mine[key]
        ]
        if differing:
            raise ValueError(
                f"The position was saved for other data. {'; '.join(differing)}"
            )
        epoch, batch = state["epoch"], state["batch"]
        self._restored = {"epoch": epoch, "batch": batch}
        # Keras takes TensorFlow's signature before the epoch begins, from the first
        # two batches: until then these are those of the whole epoch, which differ in
        # length. A single batch is a signature of its own.
        rest = len(self) - batch
        self._set_epoch(epoch, batch if rest == 1 else 0)
        self._num_batches = rest

    def _sizes(self):
        """Rows a batch, for messages: one number, or one for each length."""
        return ", ".join(str(size) for size in dict.fromkeys(self.batch_sizes))

    def _settings(self):
        return {
            "rows": len(self._lengths),
            "tokens": int(self._lengths.sum()),
            "boundaries": list(self.boundaries),
            "batch_sizes": list(self.batch_sizes),
            "shuffle": self.shuffle,
            "seed": self.seed,
            "drop_remainder": self.drop_remainder,
        }

    def _set_epoch(self, epoch, first=0):
        """Plans the epoch's batches and starts at its batch `first`."""
        rng = np.random.default_rng([self.seed, epoch]) if self.shuffle else None
        self._batches = plan_batches(
            self._lengths, self.boundaries, self.batch_sizes, rng, self.drop_remainder
        )
        self._epoch, self._first, self._trained = epoch, first, 0
        self._num_batches = len(self) - first


def _reordered(output, order):
    """Sorts one output by `order`."""
    output = keras.ops.convert_to_numpy(output)
    if len(output) != len(order):
        raise ValueError(
            f"Expected one output a row, {len(order)}. Received: {len(output)}"
        )
    return output[order]
