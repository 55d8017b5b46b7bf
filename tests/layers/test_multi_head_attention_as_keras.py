"""Keras's own tests of its layer, with ours in its place."""

from unittest import mock

import pytest
from keras.src import layers
from keras.src.layers.attention import multi_head_attention_test as keras_tests

from kftune.layers import MultiHeadAttention

pytestmark = pytest.mark.backend


class TestAsKeras(keras_tests.MultiHeadAttentionTest):
    def setUp(self):
        super().setUp()
        patch = mock.patch.object(layers, "MultiHeadAttention", MultiHeadAttention)
        patch.start()
        self.addCleanup(patch.stop)


def test_hardly_any_of_them_is_skipped(skipped):
    """Runs last; what Keras skips by itself needs another device or version."""
    assert len(skipped) <= 3, skipped
    assert sum(name.startswith("test_") for name in dir(TestAsKeras)) > 20
