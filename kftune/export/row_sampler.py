"""Sampling whose settings are tensors, one value a row."""

import keras_hub
import tensorflow as tf
from keras import ops

from kftune.decoding.sampling import Sampling

_UNLIKELY = -1e9


class RowSampler(keras_hub.samplers.Sampler):
    """Samples each row by its own settings and seed, alone or beside others alike.

    A server puts the requests of many clients into one batch: so a row must not depend
    on the rows beside it, nor on those that were answered before. Letters: B batch,
    T length of a row.

    Args:
        temperature: float32 tensor `(B,)`. 0 takes the likeliest token.
        top_k: `int32` tensor `(B,)`. How many of the likeliest tokens may be taken; 0
            for all.
        top_p: float32 tensor `(B,)`. As few of the likeliest tokens as have this share
            of the probability may be taken; 1 for all.
        seed: `int64` tensor `(B,)`. The same one gives the same text for a prompt.
        row_lengths: `int32` tensor `(B,)`, where rows end.
        end_token_id: `int`, the token that ends them.
        length: `int`. T.

    Example:
    ```python
    task.compile(sampler=RowSampler(
        temperature=tf.constant([0.7]), top_k=tf.constant([0]),
        top_p=tf.constant([0.9]), seed=tf.constant([1], tf.int64),
        row_lengths=tf.constant([32]), end_token_id=2, length=64,
    ))
    ```
    """

    def __init__(
        self, *, temperature, top_k, top_p, seed, row_lengths, end_token_id, length
    ):
        super().__init__()
        self._temperature, self._top_k, self._top_p = temperature, top_k, top_p
        self._row_lengths, self._end_token_id = row_lengths, end_token_id
        self._draws = _uniform_draws(seed, length)
        self._index = None

    def __call__(self, next, *args, **kwargs):
        """See `keras_hub.samplers.Sampler`."""

        def next_at(prompt, cache, index):
            self._index = index
            return next(prompt, cache, index)

        return super().__call__(next_at, *args, **kwargs)

    def compute_probabilities(self, logits):
        """Leaves the logits: a temperature of 0 has no probabilities."""
        return ops.cast(logits, "float32")

    def get_next_token(self, probabilities):
        """Chooses a token for each row; the end where the row is full.

        Args:
            probabilities: float32 tensor `(B, V)`, logits.

        Returns:
            `int32` tensor `(B,)`.
        """
        logits, tokens = tf.math.top_k(probabilities, self._candidates(probabilities))
        count = tf.shape(logits)[1]
        top_k = tf.where(self._top_k > 0, self._top_k, count)
        top_k = tf.where(self._temperature > 0.0, top_k, 1)[:, None]
        temperature = tf.where(self._temperature > 0.0, self._temperature, 1.0)
        logits = tf.where(
            tf.range(count) < top_k, logits / temperature[:, None], _UNLIKELY
        )
        shares = tf.nn.softmax(logits)
        before = tf.cumsum(shares, axis=-1, exclusive=True)
        is_kept = before < tf.maximum(self._top_p, 1e-9)[:, None]
        draws = tf.gather(self._draws, self._index, axis=1)
        chosen = _by_inverse(tf.where(is_kept, shares, 0.0), draws)
        chosen = tf.gather(tokens, chosen, batch_dims=1)
        return tf.where(self._index >= self._row_lengths, self._end_token_id, chosen)

    def _candidates(self, logits):
        """How many tokens of a row have to be sorted: for greedy rows one."""
        size = tf.shape(logits)[1]
        some = tf.where(self._top_k > 0, tf.minimum(self._top_k, size), size)
        return tf.reduce_max(tf.where(self._temperature > 0.0, some, 1))


def row_sampler_settings(sampler):
    """Takes temperature, k and p out of a sampler of KerasHub.

    Args:
        sampler: `keras_hub.samplers.Sampler`.

    Returns:
        Dict of `temperature`, `top_k` and `top_p`, or `None` if the sampler leaves
        nothing to chance.

    Raises:
        ValueError: if it samples in a way that an export does not know.
    """
    samplers = keras_hub.samplers
    if isinstance(sampler, Sampling):
        return _sampling_settings(sampler)
    settings = {"temperature": float(sampler.temperature), "top_k": 0, "top_p": 1.0}
    if isinstance(sampler, samplers.TopKSampler):
        return {**settings, "top_k": sampler.k}
    if isinstance(sampler, samplers.TopPSampler):
        return {**settings, "top_k": sampler.k or 0, "top_p": float(sampler.p)}
    if isinstance(sampler, samplers.RandomSampler):
        return settings
    if sampler.variables:
        raise ValueError(
            "Expected a sampler whose random numbers can be drawn by row: "
            "TopKSampler, TopPSampler, RandomSampler, GreedySampler, "
            "kftune.decoding.Sampling or BeamSearch. Received: "
            f"{type(sampler).__name__}; call "
            "task.compile(sampler=...) before the export"
        )
    return None


def _sampling_settings(sampler):
    """Those of `Sampling`, whose other arguments no request can set."""
    names = ("temperature", "top_k", "top_p")
    plain = {**Sampling().get_config(), "seed": sampler.seed}
    given = sampler.get_config()
    wrong = {n: v for n, v in given.items() if n not in names and v != plain[n]}
    if wrong:
        raise ValueError(
            "Expected a Sampling of temperature, top_k and top_p alone, which an "
            f"export knows. Received: {wrong}; call task.compile(sampler=...) before "
            "the export, for rules with kftune.decoding.BeamSearch"
        )
    return {name: given[name] for name in names}


def _uniform_draws(seed, length):
    """Float32 `(B, T)`, from 0 to 1; each row by its own seed."""
    return tf.map_fn(
        lambda one: tf.random.stateless_uniform([length], tf.stack([one, 0])),
        seed,
        fn_output_signature=tf.TensorSpec([length], tf.float32),
    )


def _by_inverse(weights, draws):
    """Index `(B,)` at which sums of weights `(B, V)` pass a share of their total."""
    sums = tf.cumsum(weights, axis=-1)
    is_below = sums <= draws[:, None] * sums[:, -1:]
    # Rounding must not lead to a token without a weight.
    last = tf.reduce_max(
        tf.where(weights > 0.0, tf.range(tf.shape(weights)[1])[None], 0), axis=-1
    )
    return tf.minimum(tf.reduce_sum(tf.cast(is_below, tf.int32), axis=-1), last)
