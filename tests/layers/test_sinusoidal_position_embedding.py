import keras
import numpy as np
import pytest

from kftune.layers import SinusoidalPositionEmbedding

pytestmark = pytest.mark.backend


@pytest.mark.parametrize("width", [8, 9])
def test_marians_table(width):
    from transformers.models.marian import modeling_marian

    theirs = modeling_marian.MarianSinusoidalPositionalEmbedding(40, width)
    layer = SinusoidalPositionEmbedding(40)
    received = layer(np.zeros((2, 40, width)))
    assert received.shape == (1, 40, width)
    expected = theirs.create_weight().numpy()
    np.testing.assert_allclose(_array(received)[0], expected, atol=1e-6)


@pytest.mark.parametrize("width", [8, 9])
def test_m2m100s_table(width):
    from transformers.models.m2m_100 import modeling_m2m_100

    theirs = modeling_m2m_100.M2M100SinusoidalPositionalEmbedding(40, width)
    received = SinusoidalPositionEmbedding(42, "sinusoidal_fairseq")(
        np.zeros((2, 40, width)), start_index=2
    )
    np.testing.assert_allclose(
        _array(received)[0], theirs.weights.numpy()[2:], atol=1e-5
    )


def test_the_papers_formula():
    layer = SinusoidalPositionEmbedding(5, "sinusoidal_interleaved")
    received = _array(layer(np.zeros((1, 5, 4))))[0]
    expected = [
        [np.sin(t), np.cos(t), np.sin(t / 100), np.cos(t / 100)] for t in range(5)
    ]
    np.testing.assert_allclose(received, expected, atol=1e-6)


@pytest.mark.parametrize("start", [3, "tensor"])
def test_a_later_start_is_a_part_of_the_table(start):
    layer = SinusoidalPositionEmbedding(9)
    whole = _array(layer(np.zeros((1, 9, 6))))
    if start == "tensor":
        start = keras.ops.convert_to_tensor(3, "int32")
    part = layer(np.zeros((1, 2, 6)), start_index=start)
    np.testing.assert_array_equal(_array(part), whole[:, 3:5])


def test_nothing_is_trained_or_saved():
    layer = SinusoidalPositionEmbedding(9, "sinusoidal_fairseq")
    layer(np.zeros((1, 9, 6)))
    assert layer.weights == []
    again = SinusoidalPositionEmbedding.from_config(layer.get_config())
    assert (again.sequence_length, again.layout) == (9, "sinusoidal_fairseq")


def test_an_unknown_layout_is_named():
    with pytest.raises(ValueError, match="layout='learned'"):
        SinusoidalPositionEmbedding(9, "learned")


def _array(tensor):
    return keras.ops.convert_to_numpy(tensor)
