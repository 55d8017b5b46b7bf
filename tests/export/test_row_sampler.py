"""Rows of one batch with settings of their own, against the shares that they name."""

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

import kftune
from kftune.export.row_sampler import RowSampler, row_sampler_settings

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports are traced by TensorFlow"
)
LOGITS = np.log([0.05, 0.4, 0.15, 0.3, 0.1]).astype("float32")
END = 0


def sample(rows, length=2, row_length=99, **options):
    """Tokens `(rows, length)` of rows that all know the same logits."""
    options = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": 0, **options}
    types = {"top_k": tf.int32, "seed": tf.int64}
    filled = {
        name: tf.constant(np.broadcast_to(value, rows), types.get(name, tf.float32))
        for name, value in options.items()
    }
    row_lengths = tf.constant(np.broadcast_to(row_length, rows), tf.int32)
    return _sample(filled, row_lengths, length).numpy()


@tf.function
def _sample(settings, row_lengths, length):
    rows = tf.size(row_lengths)
    sampler = RowSampler(
        **settings, row_lengths=row_lengths, end_token_id=END, length=length
    )
    logits = tf.repeat(LOGITS[None], rows, axis=0)
    prompt = tf.zeros((rows, length), tf.int32)
    return sampler(lambda prompt, cache, index: (logits, None, cache), prompt)


def shares(tokens):
    return np.bincount(tokens, minlength=5) / len(tokens)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0.05, 0.4, 0.15, 0.3, 0.1]),
        ({"temperature": 0.5}, np.square([0.05, 0.4, 0.15, 0.3, 0.1]) / 0.285),
        ({"top_k": 2}, [0, 4 / 7, 0, 3 / 7, 0]),
        ({"top_p": 0.75}, [0, 8 / 17, 3 / 17, 6 / 17, 0]),
        ({"top_k": 3, "top_p": 0.5}, [0, 4 / 7, 0, 3 / 7, 0]),
        ({"temperature": 0.0}, [0, 1, 0, 0, 0]),
        ({"top_p": 0.0}, [0, 1, 0, 0, 0]),
    ],
)
def test_shares_of_tokens(options, expected):
    tokens = sample(4000, seed=np.arange(4000), **options)
    # Four standard errors of a share are at most 0.032.
    np.testing.assert_allclose(shares(tokens[:, 1]), expected, atol=0.032)
    assert not shares(tokens[:, 1])[np.equal(expected, 0)].any()


def test_a_row_does_not_depend_on_those_beside_it():
    options = {
        "seed": np.arange(6),
        "temperature": np.array([0.0, 0.5, 1, 2, 1, 1]),
        "top_k": np.array([0, 0, 2, 3, 0, 1]),
        "top_p": np.array([1, 0.9, 1, 0.8, 0.3, 1]),
    }
    together = sample(6, length=12, **options)
    for row in range(6):
        alone = {name: values[row] for name, values in options.items()}
        np.testing.assert_array_equal(sample(1, length=12, **alone)[0], together[row])


def test_seeds_repeat_and_differ():
    first, again, other = (sample(50, length=20, seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[0], first[1])
    assert (first != other).any()


def test_full_rows_get_the_end():
    tokens = sample(2, length=9, row_length=[3, 6], top_k=1)
    assert tokens[0].tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert tokens[1].tolist() == [1, 1, 1, 1, 1, 1, 0, 0, 0]


def test_settings_of_keras_hub_samplers():
    samplers = keras_hub.samplers
    settings = {
        samplers.TopKSampler(k=7, temperature=0.5): (0.5, 7, 1.0),
        samplers.TopPSampler(p=0.2, k=4): (1.0, 4, 0.2),
        samplers.TopPSampler(p=0.2): (1.0, 0, 0.2),
        samplers.RandomSampler(temperature=2.0): (2.0, 0, 1.0),
        kftune.decoding.Sampling(0.7, top_k=5, top_p=0.9, seed=2): (0.7, 5, 0.9),
    }
    for sampler, (temperature, top_k, top_p) in settings.items():
        assert row_sampler_settings(sampler) == {
            "temperature": temperature,
            "top_k": top_k,
            "top_p": top_p,
        }
    for sampler in (samplers.GreedySampler(), kftune.decoding.BeamSearch()):
        assert row_sampler_settings(sampler) is None


def test_rules_that_no_request_can_set_are_refused():
    sampler = kftune.decoding.Sampling(0.7, min_p=0.1, no_repeat_ngram_size=3)
    with pytest.raises(ValueError, match="'min_p': 0.1, 'no_repeat_ngram_size': 3"):
        row_sampler_settings(sampler)


def test_other_dice_are_refused():
    class Dice(keras_hub.samplers.Sampler):
        def __init__(self):
            super().__init__()
            self.seed_generator = keras.random.SeedGenerator(0)

    with pytest.raises(ValueError, match="drawn by row.*Received: Dice"):
        row_sampler_settings(Dice())
