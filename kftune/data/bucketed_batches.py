"""What batches of a few fixed lengths have in common."""

import functools

import numpy as np

from kftune.data.buckets import batch_sizes, plan_batches
from kftune.data.resumable_batches import ResumableBatches


class BucketedBatches(ResumableBatches):
    """Rows dealt into batches by their lengths; base of the public datasets.

    A subclass builds the batches and tells the content apart (`fingerprint`), see
    `LengthBucketed` and `PairBuckets`.

    Args:
        lengths: int64 array of shape `(N,)`, tokens a row, or `(N, 2)`, of both sides.
        boundaries: the padded lengths, as `plan_batches` takes them, checked.
        batch_size: `int`. Rows a batch, whatever their length.
        max_tokens: `int` or `None`. Tokens a batch, padding included, in place of
            `batch_size`.
        shuffle: `bool`. Whether rows and batches are shuffled, differently each epoch.
        seed: `int`. Of the shuffle.
        drop_remainder: `bool`. Leave out the one batch that is smaller.

    Attributes:
        boundaries: tuple of the padded lengths.
        batch_sizes: tuple of `int`, rows a batch of each.

    Raises:
        ValueError: if a batch would have no row, or if there is no batch at all.
    """

    def __init__(
        self,
        lengths,
        boundaries,
        *,
        batch_size,
        max_tokens,
        shuffle,
        seed,
        drop_remainder,
    ):
        self._lengths = lengths
        self.boundaries = boundaries
        self.batch_sizes = batch_sizes(boundaries, batch_size, max_tokens)
        self.shuffle = shuffle
        self.seed = seed
        self.drop_remainder = drop_remainder
        super().__init__()
        if not len(self):
            raise ValueError(
                f"Expected at least one batch of {self._sizes()} rows. Received "
                f"{len(lengths)} rows and drop_remainder={drop_remainder}."
            )

    def plan_epoch(self, epoch):
        """The padded length and the rows of each batch, see `plan_batches`."""
        rng = np.random.default_rng([self.seed, epoch]) if self.shuffle else None
        return plan_batches(
            self._lengths, self.boundaries, self.batch_sizes, rng, self.drop_remainder
        )

    def plan_in_order(self):
        """The padded length and the rows of each batch, every row once, unshuffled."""
        return plan_batches(self._lengths, self.boundaries, self.batch_sizes)

    def fingerprint(self):
        """Hashes all rows.

        Returns:
            `str`, 64 hexadecimal digits, the same in every process.
        """
        raise NotImplementedError

    @functools.cached_property
    def _content(self):
        return self.fingerprint()[:16]

    def settings(self):
        """What the order of the rows depends on, and what they are."""
        return {
            "rows": len(self._lengths),
            "tokens": int(self._lengths.sum()),
            "boundaries": np.array(self.boundaries).tolist(),
            "batch_sizes": list(self.batch_sizes),
            "shuffle": self.shuffle,
            "seed": self.seed,
            "drop_remainder": self.drop_remainder,
            "content": self._content,
        }

    @property
    def order(self):
        """Row index of each row of this epoch's batches, int64 of shape `(N,)`."""
        return np.concatenate([rows for _, rows in self._plan])

    def batch_rows(self, index):
        """Row indices of a batch.

        Args:
            index: `int`, counted from where this epoch starts, as in `fit`.

        Returns:
            int64 array of shape `(B,)`.
        """
        return self._plan[self._first + index][1]

    @property
    def padding_share(self):
        """Share of all tokens that is padding, 0 to 1, over one epoch."""
        padded = sum(np.sum(plan[0]) * self.num_rows(plan) for plan in self._plan)
        return 1 - self._lengths[self.order].sum() / padded

    def num_rows(self, plan):
        """Rows of a batch.

        Args:
            plan: one item of `plan_epoch`.

        Returns:
            `int`.
        """
        return len(plan[1])

    def __str__(self):
        """One line: rows, batches, padded lengths and padding."""
        shapes = ", ".join(
            "/".join(map(str, np.atleast_1d(boundary))) for boundary in self.boundaries
        )
        return (
            f"{len(self._lengths)} rows in {len(self)} batches of {self._sizes()}, "
            f"padded to {shapes} tokens: {self.padding_share:.1%} padding"
        )

    def _sizes(self):
        """Rows a batch, for messages: one number, or one for each length."""
        return ", ".join(str(size) for size in dict.fromkeys(self.batch_sizes))
