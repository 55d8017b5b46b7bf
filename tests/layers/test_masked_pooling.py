import keras
import numpy as np
import pytest

from kftune.layers import MaskedPooling

pytestmark = pytest.mark.backend

SEQUENCE = np.arange(24, dtype="float32").reshape(2, 4, 3)
MASK = np.array([[1, 1, 1, 0], [1, 0, 0, 0]])


def pool(pooling, sequence=SEQUENCE, mask=MASK):
    return keras.ops.convert_to_numpy(MaskedPooling(pooling)(sequence, mask))


def test_last_takes_the_last_real_token():
    np.testing.assert_array_equal(pool("last"), [[6, 7, 8], [12, 13, 14]])


def test_first_takes_index_zero():
    np.testing.assert_array_equal(pool("first"), [[0, 1, 2], [12, 13, 14]])


def test_mean_leaves_padding_out():
    np.testing.assert_allclose(pool("mean"), [[3, 4, 5], [12, 13, 14]])


def test_last_mean_is_both_side_by_side():
    both = np.concatenate([pool("last"), pool("mean")], axis=-1)
    np.testing.assert_array_equal(pool("last_mean"), both)


def test_not_a_number_in_padding_does_not_leak():
    sequence = SEQUENCE.copy()
    sequence[0, 3] = np.nan
    np.testing.assert_array_equal(pool("last_mean", sequence), pool("last_mean"))


@pytest.mark.parametrize("pooling", ["first", "last", "mean", "last_mean"])
def test_a_row_without_tokens_is_finite(pooling):
    assert np.isfinite(pool(pooling, mask=np.zeros((2, 4), bool))).all()


def test_mean_of_many_half_precision_states_is_exact():
    sequence = np.ones((1, 4096, 1), "float32")
    layer = MaskedPooling("mean", dtype="bfloat16")
    mean = keras.ops.convert_to_numpy(
        keras.ops.cast(layer(sequence, np.ones((1, 4096))), "float32")
    )
    np.testing.assert_array_equal(mean, [[1.0]])


def test_the_output_spec_matches_the_output():
    sequence = keras.Input((None, 3))
    mask = keras.Input((None,), dtype="int32")
    assert MaskedPooling("last_mean")(sequence, mask).shape == (None, 6)


def test_config_round_trip():
    layer = MaskedPooling("last_mean", name="pool")
    assert MaskedPooling.from_config(layer.get_config()).pooling == "last_mean"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"first.*last.*mean.*'max'"):
        MaskedPooling("max")
