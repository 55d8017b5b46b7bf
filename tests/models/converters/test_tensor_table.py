import keras
import numpy as np
import pytest
import safetensors
import safetensors.numpy

from kftune.models.converters.tensor_row import TensorRow, dense_rows, norm_rows
from kftune.models.converters.tensor_table import (
    TensorTable,
    load_tensors,
    save_tensors,
)

RNG = np.random.default_rng(0)


class Block:
    def __init__(self):
        self.query = keras.layers.EinsumDense(
            "abc,cde->abde", (None, 2, 3), bias_axes="de"
        )
        self.value = keras.layers.EinsumDense(
            "abc,cde->abde", (None, 2, 3), bias_axes="de"
        )
        self.output = keras.layers.EinsumDense(
            "abcd,cde->abe", (None, 5), bias_axes="e"
        )
        self.norm = keras.layers.LayerNormalization()
        self.query.build((1, 4, 5))
        self.value.build((1, 4, 5))
        self.output.build((1, 4, 2, 3))
        self.norm.build((1, 4, 5))
        for layer in (self.query, self.value, self.output, self.norm):
            layer.set_weights([RNG.normal(size=w.shape) for w in layer.weights])


@pytest.fixture
def block():
    return Block()


def weights_of(layer):
    return [keras.ops.convert_to_numpy(weight) for weight in layer.weights]


def table_of(block):
    return TensorTable(
        [
            *dense_rows("qv", ("query", "value"), transposed=False)("m.", block),
            *dense_rows("out", "output", input_axes=2)("m.", block),
            *norm_rows("norm", "norm")("m.", block),
        ],
        prefix="m.",
        ignored="head.*",
    )


def test_tensors_are_the_matrices_that_multiply(block):
    rows = {row.name: row for row in table_of(block).rows}
    x = RNG.normal(size=(1, 4, 5)).astype("float32")
    both = x @ rows["m.qv.weight"].tensor() + rows["m.qv.bias"].tensor()
    query, value = np.split(both, 2, axis=-1)
    np.testing.assert_allclose(query, np.reshape(block.query(x), (1, 4, 6)), rtol=1e-5)
    np.testing.assert_allclose(value, np.reshape(block.value(x), (1, 4, 6)), rtol=1e-5)
    heads = RNG.normal(size=(1, 4, 2, 3)).astype("float32")
    out = heads.reshape(1, 4, 6) @ rows["m.out.weight"].tensor().T
    out += rows["m.out.bias"].tensor()
    np.testing.assert_allclose(out, block.output(heads), rtol=1e-5)


def test_what_was_written_is_read(block, tmp_path):
    save_tensors(table_of(block), tmp_path)
    other = Block()
    load_tensors(table_of(other), tmp_path)
    for name in ("query", "value", "output", "norm"):
        ours, theirs = (
            weights_of(getattr(block, name)),
            weights_of(getattr(other, name)),
        )
        for weight, expected in zip(theirs, ours, strict=True):
            np.testing.assert_array_equal(weight, expected)


def test_transformers_can_tell_who_wrote_it(block, tmp_path):
    save_tensors(table_of(block), tmp_path)
    with safetensors.safe_open(tmp_path / "model.safetensors", "np") as file:
        assert file.metadata() == {"format": "pt"}


def test_unused_rows_and_row_vectors():
    embedding = keras.layers.Embedding(3, 2)
    embedding.build()
    embedding.set_weights([np.arange(1, 7).reshape(3, 2)])
    row = TensorRow("p", (embedding,), "embeddings", input_axes=1, unused_rows=1)
    assert row.tensor().tolist() == [[0, 0], [1, 2], [3, 4], [5, 6]]
    row.assign(np.arange(8).reshape(4, 2))
    assert weights_of(embedding)[0].tolist() == [[2, 3], [4, 5], [6, 7]]
    norm = keras.layers.LayerNormalization()
    norm.build((1, 3))
    row = TensorRow("b", (norm,), "beta", as_row=True)
    row.assign(np.array([[7, 8, 9]]))
    assert row.tensor().tolist() == [[7, 8, 9]]


def test_lora_is_merged():
    dense = keras.layers.Dense(3)
    dense.build((None, 4))
    dense.enable_lora(2)
    dense.lora_kernel_b.assign(RNG.normal(size=(2, 3)))
    x = RNG.normal(size=(2, 4)).astype("float32")
    matrix = TensorRow("d", (dense,), "kernel", input_axes=1).tensor()
    np.testing.assert_allclose(x @ matrix, dense(x), rtol=1e-4, atol=1e-5)


def test_nothing_is_loaded_when_something_is_wrong(block, tmp_path):
    save_tensors(table_of(block), tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    tensors |= {"m.norm.bias": np.zeros(4, "float32"), "head.bias": np.zeros(1)}
    del tensors["m.out.bias"]
    tensors["other.bias"] = np.zeros(2)
    safetensors.numpy.save_file(tensors, path)
    other = Block()
    before = weights_of(other.query)
    with pytest.raises(ValueError) as error:
        load_tensors(table_of(other), tmp_path)
    for message in (
        "3 do not fit",
        "m.norm.bias: expected (5,), received (4,)",
        "m.out.bias: expected (5,), received nothing",
        "other.bias: expected no such tensor",
    ):
        assert message in str(error.value)
    for weight, expected in zip(weights_of(other.query), before, strict=True):
        np.testing.assert_array_equal(weight, expected)
