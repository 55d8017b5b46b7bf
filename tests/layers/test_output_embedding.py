import keras
import numpy as np
import pytest

from kftune.layers import OutputEmbedding

pytestmark = pytest.mark.backend


def _built(**options):
    layer = OutputEmbedding(5, 4, **options)
    layer.build()
    rng = np.random.default_rng(0)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return layer


@pytest.mark.parametrize("tie_weights", [True, False])
def test_logits_get_the_bias_and_embeddings_do_not(tie_weights):
    layer = _built(tie_weights=tie_weights)
    weights = {w.name: keras.ops.convert_to_numpy(w) for w in layer.weights}
    ids = np.array([[1, 4]])
    np.testing.assert_allclose(_array(layer(ids)), weights["embeddings"][ids])
    hidden = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")
    kernel = weights["embeddings"].T if tie_weights else weights["reverse_embeddings"]
    np.testing.assert_allclose(
        _array(layer(hidden, reverse=True)),
        hidden @ kernel + weights["logits_bias"],
        atol=1e-5,
    )


def test_the_bias_is_saved_and_not_trained(tmp_path):
    layer = _built()
    assert [w.name for w in layer.trainable_weights] == ["embeddings"]
    store = {}
    layer.save_own_variables(store)
    again = OutputEmbedding.from_config(layer.get_config())
    again.build()
    again.load_own_variables(store)
    np.testing.assert_array_equal(_array(again.logits_bias), _array(layer.logits_bias))


def test_an_integer_table_keeps_the_bias():
    layer = _built()
    hidden = np.random.default_rng(1).normal(size=(2, 3, 4)).astype("float32")
    expected = _array(layer(hidden, reverse=True))
    layer.quantize("int8")
    received = _array(layer(hidden, reverse=True))
    np.testing.assert_allclose(received, expected, atol=0.1)
    assert np.abs(_array(layer.logits_bias)).max() > 0.3


def _array(tensor):
    return keras.ops.convert_to_numpy(tensor)
