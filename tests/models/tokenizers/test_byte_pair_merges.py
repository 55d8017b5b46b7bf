import itertools
import random

import tensorflow as tf

from kftune.models.tokenizers.byte_pair_merges import BytePairMerges


def merged(ids, merges):
    """Merges by the definition: the leftmost pair of the least rank, ever again."""
    rules = list(merges)
    while True:
        pairs = [*itertools.pairwise(ids)]
        ranks = [rules.index(pair) for pair in pairs if pair in rules]
        if not ranks:
            return ids
        pair = rules[min(ranks)]
        at = pairs.index(pair)
        ids = [*ids[:at], merges[pair], *ids[at + 2 :]]


def test_words_are_merged_as_defined():
    rng = random.Random(1)
    for _ in range(2):
        merges = {
            (rng.randrange(12), rng.randrange(12)): rng.randrange(20) for _ in range(30)
        }
        words = [
            [rng.randrange(12) for _ in range(rng.randrange(9))] for _ in range(300)
        ]
        rows = tf.ragged.constant(words, tf.int32)
        merge = tf.function(BytePairMerges(merges).__call__)
        ids, index = merge(rows.flat_values, rows.value_rowids(), len(words))
        received = tf.RaggedTensor.from_value_rowids(ids, index, len(words)).to_list()
        assert received == [merged(word, merges) for word in words]
        assert received != words
