import keras
import numpy as np
import pytest

from kftune.layers import MultiHeadAttention
from kftune.layers.covered_dropout import cover, drops, uncover

pytestmark = pytest.mark.backend

X = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")


def numpy(x):
    return keras.ops.convert_to_numpy(x)


@pytest.fixture
def attention():
    layer = MultiHeadAttention(num_heads=2, key_dim=4, dropout=0.5)
    layer.build(X.shape, X.shape)
    return layer


def test_a_layer_drops_in_training_unless_it_is_covered():
    dropout = keras.layers.Dropout(0.5)
    assert drops(dropout, training=True)
    assert not drops(dropout, training=False)
    assert not drops(dropout, training=None)
    assert not drops(keras.layers.Dropout(0.0), training=True)
    cover(dropout)
    assert not drops(dropout, training=True)
    np.testing.assert_array_equal(numpy(dropout(X, training=True)), X)
    uncover(dropout)
    assert drops(dropout, training=True)
    assert (numpy(dropout(X, training=True)) == 0).any()


def test_attention_without_dropout_is_fused_in_training(attention):
    expected = numpy(attention(X, X, use_causal_mask=True))
    cover(attention._dropout_layer)
    found = numpy(attention(X, X, use_causal_mask=True, training=True))
    assert attention.attention_path == "fused"
    np.testing.assert_allclose(found, expected, atol=1e-6)
    uncover(attention._dropout_layer)
    found = numpy(attention(X, X, use_causal_mask=True, training=True))
    assert attention.attention_path == "einsum"
    assert np.abs(found - expected).max() > 1e-3


def test_attention_of_one_token_is_plain_in_training(attention):
    key_value = attention.project_key_value(X)
    expected = numpy(attention.attend(X[:, :1], key_value))
    cover(attention._dropout_layer)
    found = numpy(attention.attend(X[:, :1], key_value, training=True))
    assert attention.attention_path == "cache"
    np.testing.assert_allclose(found, expected, atol=1e-6)
