"""How the score of a finished beam depends on its length and on what it covers.

Reference: Wu et al., 2016, https://arxiv.org/abs/1609.08144
"""

import numpy as np
from keras import ops


def length_divisors(longest, length_penalty, wu_length_penalty=None):
    """Computes by what sums of log-probabilities are divided.

    Args:
        longest: `int`.
        length_penalty: `float`, alpha of n^alpha.
        wu_length_penalty: `float` or `None`, alpha of ((5 + n) / 6)^alpha in its place.

    Returns:
        float32 tensor `(longest + 1,)` over the number n of generated tokens; for 0
        that of 1.
    """
    lengths = np.maximum(np.arange(longest + 1.0), 1.0)
    if wu_length_penalty is None:
        divisors = lengths**length_penalty
    else:
        divisors = ((5.0 + lengths) / 6.0) ** wu_length_penalty
    return ops.convert_to_tensor(divisors.astype("float32"))


def coverage_penalty(coverage, source_mask, strength):
    """Computes what a beam loses for tokens of the source that got little attention.

    Args:
        coverage: float32 tensor `(B, W, S)`, sums of attention weights.
        source_mask: `bool` tensor `(B, S)`. True means a real token.
        strength: `float`, beta.

    Returns:
        float32 tensor `(B, W)`, at most 0: beta·Σ log(min(coverage, 1)).
    """
    logs = ops.log(ops.clip(coverage, 1e-30, 1.0))
    return strength * ops.sum(ops.where(source_mask[:, None], logs, 0.0), axis=-1)
