"""Batches of source and target rows of about one length, in a few fixed shapes."""

import hashlib
import math

import numpy as np

from kftune.data.bucketed_batches import BucketedBatches
from kftune.data.pair_boundaries import check_pair_boundaries, learn_pair_boundaries
from kftune.data.tokenised_rows import TokenisedRows
from kftune.error_text import first_few


class PairBuckets(BucketedBatches):
    """Tokenised text pairs in batches of a few fixed shapes, for encoder-decoders.

    The two-sided sibling of `LengthBucketed`: each bucket has a padded length of the
    source, S, and one of the target, T. Pairs of about these lengths share a batch, so
    little is padding, and there are no more shapes than buckets: the single batch that
    is not full has some of its pairs twice, without weight the second time.

    A batch is `(x, y, sample_weight)`, what `TransformerSeq2SeqLMPreprocessor` makes of
    the texts: `x` holds `"encoder_token_ids"`, int32 of shape `(B, S)`,
    `"decoder_token_ids"`, int32 `(B, T)`, and `"encoder_padding_mask"` and
    `"decoder_padding_mask"`, bool, True where a real token stands; `y`, int32 `(B, T)`,
    are the next tokens, and `sample_weight`, bool `(B, T)`, is True where one follows.

    Order, epochs and saved positions are those of `LengthBucketed`: pass `fit`
    `shuffle=False` to let the seed decide alone.

    Args:
        source_rows: sequence of N one-dimensional integer arrays or lists, start and
            end tokens among them; a column of `tokenize_pairs`.
        target_rows: sequence of N such rows, of two tokens or more. A row of T + 1
            tokens gives T to predict.
        batch_size: `int`. Pairs a batch, whatever their length.
        max_tokens: `int` or `None`. Tokens a batch, B · (S + T), padding included, in
            place of `batch_size`: short pairs come in larger batches.
        boundaries: pairs `(S, T)`, the padded lengths, one of which holds all others;
            by default chosen for little padding. Those of the training data suit the
            validation data, too.
        max_buckets: `int`. How many are chosen without `boundaries`; by default one for
            each 100 pairs begun, 10 at most, as each has to be compiled.
        shuffle: `bool`. Whether pairs and batches are shuffled, differently each epoch.
        seed: `int`. Of the shuffle.
        drop_remainder: `bool`. Leave out the one batch that is not full; which pairs
            that is differs by epoch.
        pad_token_id: `int`. Stands behind the end of a row.
        target_pad_token_id: `int` or `None`. The same for targets, if they have a
            vocabulary of their own.

    Raises:
        ValueError: if there are not as many targets as sources, a row is too short or
            longer than every boundary, boundaries do not fit, or there is no batch.

    Example:
    ```python
    sources = [[5, 6, 7, 0], [5, 0], [8] * 20 + [0], [9] * 18 + [0]]
    targets = [[1, 5, 6, 0], [1, 5, 0], [1] + [8] * 16 + [0], [1] + [9] * 18 + [0]]
    data = kftune.data.PairBuckets(sources, targets, batch_size=2, max_buckets=2)
    print(data)  # 4 rows in 2 batches of 2, padded to 4/3, 21/19 tokens: 7.4% padding
    task.fit(data, epochs=3, shuffle=False)
    ```
    """

    def __init__(
        self,
        source_rows,
        target_rows,
        *,
        batch_size=32,
        max_tokens=None,
        boundaries=None,
        max_buckets=None,
        shuffle=True,
        seed=0,
        drop_remainder=False,
        pad_token_id=0,
        target_pad_token_id=None,
    ):
        if target_pad_token_id is None:
            target_pad_token_id = pad_token_id
        self._sources = TokenisedRows(source_rows, pad_token_id=pad_token_id)
        self._targets = TokenisedRows(target_rows, pad_token_id=target_pad_token_id)
        lengths = _pair_lengths(self._sources.lengths, self._targets.lengths)
        if max_buckets is None:
            max_buckets = min(10, math.ceil(len(lengths) / 100))
        if boundaries is None:
            boundaries = learn_pair_boundaries(lengths, max_buckets)
        super().__init__(
            lengths,
            check_pair_boundaries(boundaries, lengths),
            batch_size=batch_size,
            max_tokens=max_tokens,
            shuffle=shuffle,
            seed=seed,
            drop_remainder=drop_remainder,
        )

    def build_batch(self, plan):
        """The pairs of a batch, padded, and repeated until it is full."""
        (source_length, target_length), rows = plan
        full = np.resize(rows, self.num_rows(plan))
        (source,) = self._sources.batch(full, source_length)
        (target,) = self._targets.batch(full, target_length + 1)
        sample_weight = target["padding_mask"][:, 1:].copy()
        sample_weight[len(rows) :] = False
        x = {
            "encoder_token_ids": source["token_ids"],
            "encoder_padding_mask": source["padding_mask"],
            "decoder_token_ids": target["token_ids"][:, :-1],
            "decoder_padding_mask": target["padding_mask"][:, :-1],
        }
        return x, target["token_ids"][:, 1:], sample_weight

    def fingerprint(self):
        """Hashes the rows of both sides."""
        both = self._sources.fingerprint() + self._targets.fingerprint()
        return hashlib.sha256(both.encode()).hexdigest()

    def num_rows(self, plan):
        """Pairs of a batch, repeated ones among them."""
        return self.batch_sizes[self.boundaries.index(plan[0])]


def _pair_lengths(sources, targets):
    """Tokens of source and of target to predict, int64 of shape `(N, 2)`."""
    if len(sources) != len(targets):
        raise ValueError(
            "Expected as many targets as sources. Received: "
            f"{len(sources)} sources and {len(targets)} targets"
        )
    short = np.flatnonzero(targets < 2)
    if len(short):
        raise ValueError(
            "Expected targets of at least two tokens, the start and one to predict. "
            f"Received a single one in rows {first_few(short, show=str)}"
        )
    return np.stack([sources, targets - 1], axis=1)
