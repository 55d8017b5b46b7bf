"""Byte-pair merging in TensorFlow ops."""

import numpy as np
import tensorflow as tf

from kftune.models.tokenizers.static_table import static_table

_NO_RANK = 2**31 - 1


class BytePairMerges(tf.Module):
    """Merges, in many words at once, the leftmost pair of the least rank, to the end.

    That is what the `BPE` of `tokenizers` does. A step merges one pair in each word, so
    there are as many steps as the longest word loses tokens.

    Args:
        merges: dict of a pair of ids to the id of what they become, ordered by rank.

    Example:
    ```python
    merge = BytePairMerges({(1, 2): 5, (5, 3): 6})
    merge(tf.constant([1, 2, 3, 2, 1]), tf.constant([0, 0, 0, 1, 1]), 2)
    # [6, 2, 1] and [0, 1, 1]
    ```
    """

    def __init__(self, merges):
        super().__init__()
        pairs = np.array([*merges], "int64").reshape(-1, 2)
        self._base = int(pairs.max(initial=0)) + 1
        keys = pairs[:, 0] * self._base + pairs[:, 1]
        self._ranks = static_table(keys, np.arange(len(keys)), _NO_RANK)
        self._merged = np.array([*merges.values()], "int64")

    def __call__(self, ids, words, num_words):
        """Merges.

        Args:
            ids: integers `(N,)`, the ids of all words, one word after the other.
            words: integers `(N,)`, not falling: the index of the word of each id.
            num_words: integer, larger than every index.

        Returns:
            Tuple of ids and indices, `int64 (M,)`, M <= N.
        """
        ids, words = tf.cast(ids, tf.int64), tf.cast(words, tf.int64)

        def step(ids, words, ranks):
            """Merges a pair in each word that has one."""
            size = tf.size(ids, tf.int64)
            order = ranks * size + tf.range(size)
            first = tf.math.unsorted_segment_min(order, words, num_words)
            first = tf.boolean_mask(first, first < _NO_RANK * size)
            rank, at = first // size, first % size
            ids = _put(ids, at, tf.gather(self._merged, rank))
            kept = _put(tf.ones_like(ids, tf.bool), at + 1, tf.zeros_like(at, tf.bool))
            kept = tf.where(kept)[:, 0]
            ids, words, ranks = (tf.gather(x, kept) for x in (ids, words, ranks))
            at -= tf.range(tf.size(at, tf.int64))
            around = tf.concat([tf.maximum(at - 1, 0), at], 0)
            return ids, words, _put(ranks, around, self._ranks_at(around, ids, words))

        everywhere = tf.range(tf.size(ids, tf.int64))
        ids, words, _ = tf.while_loop(
            lambda ids, words, ranks: tf.reduce_any(ranks < _NO_RANK),
            step,
            (ids, words, self._ranks_at(everywhere, ids, words)),
            shape_invariants=(tf.TensorShape([None]),) * 3,
        )
        return ids, words

    def _ranks_at(self, at, ids, words):
        """Ranks of the pairs that begin at positions."""
        after = tf.minimum(at + 1, tf.size(ids, tf.int64) - 1)
        left, right = tf.gather(ids, at), tf.gather(ids, after)
        is_pair = (after > at) & (tf.gather(words, at) == tf.gather(words, after))
        is_pair &= (left < self._base) & (right < self._base)
        ranks = self._ranks.lookup(left * self._base + right)
        return tf.where(is_pair, ranks, _NO_RANK)


def _put(values, at, new):
    return tf.tensor_scatter_nd_update(values, at[:, None], new)
