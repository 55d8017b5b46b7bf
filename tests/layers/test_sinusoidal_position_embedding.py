import keras
import keras_hub
import numpy as np
import pytest
from keras import ops

from kftune.layers import SinusoidalPositionEmbedding

pytestmark = pytest.mark.backend


def embed(shape, *arguments, call=None, **keywords):
    layer = SinusoidalPositionEmbedding(*arguments, **keywords)
    return ops.convert_to_numpy(layer(np.zeros(shape, "float32"), **(call or {})))


def test_halves_are_the_table_of_marian():
    torch = pytest.importorskip("torch")
    from transformers.models.marian import modeling_marian as marian

    reference = marian.MarianSinusoidalPositionalEmbedding(600, 40)
    weight = reference.create_weight()
    assert weight.dtype == torch.float32
    np.testing.assert_array_equal(embed((1, 600, 40), 600)[0], weight.numpy())


def test_offset_halves_are_the_table_of_m2m100():
    pytest.importorskip("torch")
    from transformers.models.m2m_100 import modeling_m2m_100 as m2m_100

    padding_idx = 1
    reference = m2m_100.M2M100SinusoidalPositionalEmbedding(600, 40, padding_idx)
    rows = reference.weights.numpy()[padding_idx + 1 :]
    actual = embed(
        (1, 600, 40),
        602,
        reach_max_wavelength=True,
        call={"start_index": padding_idx + 1},
    )
    # The reference computes its angles, up to 601, in float32.
    np.testing.assert_allclose(actual[0], rows, atol=1e-4)
    np.testing.assert_allclose(actual[0, :10], rows[:10], atol=2e-6)


def test_interleaved_is_the_encoding_of_kerashub():
    x = np.zeros((2, 30, 16), "float32")
    expected = ops.convert_to_numpy(keras_hub.layers.SinePositionEncoding()(x))
    actual = embed(x.shape, 30, "interleaved")
    np.testing.assert_allclose(actual, expected, atol=2e-5)


def test_two_channels_by_hand():
    actual = embed((1, 3, 2), 3)
    expected = [[np.sin(i), np.cos(i)] for i in range(3)]
    np.testing.assert_allclose(actual[0], expected, atol=1e-7)


@pytest.mark.parametrize("index", [4, np.array(4, "int32")])
def test_a_step_gives_the_row_of_the_full_table(index):
    full = embed((1, 6, 8), 6)
    step = embed((1, 1, 8), 6, call={"start_index": index})
    np.testing.assert_array_equal(step[0, 0], full[0, 4])


def test_positions_pick_rows_and_stop_at_the_last():
    full = embed((1, 6, 8), 6)
    picked = embed((2, 2, 8), 6, call={"positions": np.array([[3, 0], [5, 9]])})
    np.testing.assert_array_equal(picked[0], full[0, [3, 0]])
    np.testing.assert_array_equal(picked[1], full[0, [5, 5]])


def test_nothing_is_trained_or_saved():
    layer = SinusoidalPositionEmbedding(4)
    layer(np.zeros((1, 4, 6)))
    assert layer.variables == []


def test_a_graph_of_any_length_and_its_config(tmp_path):
    inputs = keras.Input((None, 8))
    model = keras.Model(inputs, SinusoidalPositionEmbedding(6, name="at")(inputs))
    model.save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    for length in (3, 5):
        rows = model.predict(np.zeros((2, length, 8)), verbose=0)
        np.testing.assert_array_equal(rows, embed((2, length, 8), 6))


def test_config_round_trip_of_every_argument():
    arguments = {
        "sequence_length": 7,
        "layout": "interleaved",
        "max_wavelength": 50.0,
        "reach_max_wavelength": True,
    }
    config = SinusoidalPositionEmbedding(**arguments).get_config()
    again = SinusoidalPositionEmbedding.from_config(config).get_config()
    assert {name: again[name] for name in arguments} == arguments


def test_errors_name_what_was_received():
    with pytest.raises(ValueError, match="layout='other'"):
        SinusoidalPositionEmbedding(4, "other")
    with pytest.raises(ValueError, match=r"inputs_shape=\(1, 2, 5\)"):
        embed((1, 2, 5), 4)
    with pytest.raises(ValueError, match="Received: 3 tokens from start_index=2"):
        embed((1, 3, 4), 4, call={"start_index": 2})
