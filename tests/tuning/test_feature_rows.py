"""Features come back from their file by row number, without padding in between."""

import keras
import ml_dtypes
import numpy as np
import pyarrow as pa
import pytest

from kftune.data import LengthBucketed
from kftune.tuning.feature_column import FeatureColumn
from kftune.tuning.feature_rows import FeatureRows, write_features

LENGTHS = np.array([5, 2, 3, 6, 1])
VECTORS = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
STATES = np.random.default_rng(1).normal(size=(5, 6, 4)).astype("float32")
IS_REAL = np.arange(6) < LENGTHS[:, None]
STATES[~IS_REAL] = 99  # what a model computes of padding
SHAPES = {"vectors": (None, 4), "states": (None, None, 4), "mask": (None, None)}


@pytest.fixture
def tokens():
    rows = [[7] * length for length in LENGTHS]
    return LengthBucketed(rows, np.arange(5) * 10, batch_size=2).rows


def make_columns(dtype, *names):
    return [
        FeatureColumn(
            keras.KerasTensor(SHAPES[name], "int32" if name == "mask" else "float32"),
            dtype,
        )
        for name in names
    ]


def chunks(*features):
    """The rows out of order, in two parts of different lengths."""
    for rows, length in ((np.array([4, 1, 2]), 3), (np.array([3, 0]), 6)):
        parts = [x[rows][:, :length] if x.ndim > 2 else x[rows] for x in features]
        yield rows, IS_REAL[rows][:, :length], parts


@pytest.mark.parametrize(
    ("dtype", "numpy_dtype"),
    [("float32", "float32"), ("float16", "float16"), ("bfloat16", ml_dtypes.bfloat16)],
)
def test_rows_come_back_rounded_to_the_dtype(dtype, numpy_dtype, tokens, tmp_path):
    columns = make_columns(dtype, "vectors", "states")
    path = tmp_path / "new" / "features.arrow"
    write_features(path, columns, chunks(VECTORS, STATES))
    rows = FeatureRows(path, columns, tokens)
    (vectors, states), labels = rows.batch(np.array([3, 1, 4]), length=7)
    assert vectors.dtype == states.dtype == np.float32
    expected = VECTORS[[3, 1, 4]].astype(numpy_dtype).astype("float32")
    np.testing.assert_array_equal(vectors, expected)
    assert states.shape == (3, 7, 4)
    for received, row in zip(states, [3, 1, 4], strict=True):
        length = LENGTHS[row]
        expected = STATES[row, :length].astype(numpy_dtype).astype("float32")
        np.testing.assert_array_equal(received[:length], expected)
        assert not received[length:].any()
    assert labels.tolist() == [30, 10, 40]
    assert rows.targets.tolist() == [0, 10, 20, 30, 40]


def test_the_file_holds_numbers_of_real_tokens_alone(tokens, tmp_path):
    columns = make_columns("float16", "vectors", "states", "mask")
    mask = IS_REAL.astype("int32")
    path = tmp_path / "features.arrow"
    batches = (
        (rows, is_real, [*parts, is_real.astype("int32")])
        for rows, is_real, parts in chunks(VECTORS, STATES)
    )
    write_features(path, columns, batches)
    table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
    assert table.schema.types[1:] == [column.type for column in columns]
    assert table.schema.types[1:3] == [pa.list_(pa.float16())] * 2
    order = table["row"].to_pylist()
    counts = [[len(x) for x in column.to_pylist()] for column in table.columns[1:]]
    assert counts[0] == [4] * 5
    assert counts[1] == [LENGTHS[row] * 4 for row in order]
    assert counts[2] == [LENGTHS[row] for row in order]
    rows = FeatureRows(path, columns, tokens)
    received = rows.batch(np.arange(5), length=6)[0][2]
    assert received.dtype == np.int32
    assert received.tolist() == mask.tolist()


def test_one_feature_is_no_tuple(tokens, tmp_path):
    columns = make_columns("float32", "vectors")
    write_features(tmp_path / "f.arrow", columns, chunks(VECTORS))
    x, _ = FeatureRows(tmp_path / "f.arrow", columns, tokens).batch(np.arange(5), 6)
    np.testing.assert_array_equal(x, VECTORS)


def test_numbers_beyond_float16_are_refused(tmp_path):
    columns = make_columns("float16", "vectors")
    large = VECTORS + 70123 * np.eye(5, 4, dtype="float32")
    with pytest.raises(ValueError, match=r"up to 7.01e\+04. Pass dtype='bfloat16'"):
        write_features(tmp_path / "features.arrow", columns, chunks(large))
    assert not list(tmp_path.iterdir())
    columns = make_columns("bfloat16", "vectors")
    write_features(tmp_path / "features.arrow", columns, chunks(large))
