"""Configuration, flash attention, LoRA, integers and errors of MultiHeadAttention."""

import inspect

import keras
import numpy as np
import pytest
from keras import ops

from kftune.layers import MultiHeadAttention

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 6, 8)).astype("float32")
SOURCE = RNG.normal(size=(2, 5, 7)).astype("float32")


def numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def test_config_round_trip_of_every_argument():
    arguments = {
        "num_heads": 4,
        "key_dim": 3,
        "value_dim": 5,
        "dropout": 0.2,
        "use_bias": False,
        "output_shape": (6,),
        "attention_axes": (1, 2),
        "sliding_window": 3,
        "flash_attention": False,
        "kernel_initializer": "he_normal",
        "bias_initializer": "ones",
        "kernel_regularizer": "l2",
        "bias_regularizer": "l1",
        "activity_regularizer": "l1",
        "kernel_constraint": "non_neg",
        "bias_constraint": "unit_norm",
        "use_gate": True,
        "seed": 11,
        "num_key_value_heads": 2,
    }
    signature = inspect.signature(MultiHeadAttention.__init__).parameters
    assert set(arguments) == set(signature) - {"self", "kwargs"}
    default = MultiHeadAttention(4, 3).get_config()
    config = MultiHeadAttention(**arguments).get_config()
    same = [name for name in arguments if config[name] == default[name]]
    assert same == ["num_heads", "key_dim"]
    assert MultiHeadAttention.from_config(config).get_config() == config
    plain = {n: v for n, v in arguments.items() if isinstance(v, (int, float, tuple))}
    assert {name: config[name] for name in plain} == plain


@pytest.mark.parametrize("flash_attention", [None, True, False])
def test_flash_attention_survives_the_config(flash_attention):
    layer = MultiHeadAttention(2, 4, flash_attention=flash_attention)
    layer = MultiHeadAttention.from_config(layer.get_config())
    assert layer.get_config()["flash_attention"] is flash_attention
    assert layer._flash_attention is flash_attention


def test_the_switch_of_keras_is_read_anew_and_not_saved():
    keras.config.disable_flash_attention()
    try:
        config = MultiHeadAttention(2, 4).get_config()
        assert MultiHeadAttention.from_config(config)._flash_attention is False
    finally:
        keras.config.enable_flash_attention()
    assert MultiHeadAttention.from_config(config)._flash_attention is None


def test_flash_attention_is_demanded_not_hoped_for():
    # No processor has it, so that the backend's own error must come through.
    layer = MultiHeadAttention(4, 3, flash_attention=True)
    layer.build(X.shape, X.shape)
    with pytest.raises((ValueError, RuntimeError, ImportError)):
        layer(X, X)
    assert layer.attention_path == "flash"


def make_model(**arguments):
    layer = MultiHeadAttention(4, 8, num_key_value_heads=2, **arguments)
    inputs = keras.Input((6, 8))
    return keras.Model(inputs, layer(inputs, inputs, use_causal_mask=True)), layer


def test_lora_trains_small_factors_alone():
    model, layer = make_model()
    before = numpy(model(X))
    for dense in (layer.query_dense, layer.key_dense, layer.value_dense):
        dense.enable_lora(2)
    layer.output_dense.trainable = False
    np.testing.assert_allclose(numpy(model(X)), before, atol=1e-6)
    kernels = [numpy(dense._kernel) for dense in (layer.query_dense, layer.key_dense)]
    model.compile("sgd", "mse")
    model.fit(X, X, verbose=0)
    assert np.abs(numpy(model(X)) - before).max() > 1e-6
    np.testing.assert_array_equal(numpy(layer.query_dense._kernel), kernels[0])
    np.testing.assert_array_equal(numpy(layer.key_dense._kernel), kernels[1])
    merged = layer.query_dense.kernel
    factors = (layer.query_dense.lora_kernel_a, layer.query_dense.lora_kernel_b)
    expected = kernels[0] + numpy(ops.matmul(*factors))
    np.testing.assert_allclose(numpy(merged), expected, atol=1e-6)


def test_quantize_makes_the_projections_int8():
    model, layer = make_model()
    before = numpy(model(X))
    model.quantize("int8")
    names = ("query_dense", "key_dense", "value_dense", "output_dense")
    for name in names:
        dtype = keras.backend.standardize_dtype(getattr(layer, name)._kernel.dtype)
        assert dtype == "int8"
    np.testing.assert_allclose(numpy(model(X)), before, atol=0.02)
    assert np.abs(numpy(model(X)) - before).max() > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 0}, "expected a positive integer. Received: num_heads=0"),
        ({"key_dim": 1.5}, "expected a positive integer. Received: key_dim=1.5"),
        ({"value_dim": -1}, "integer or `None`. Received: value_dim=-1"),
        ({"sliding_window": 0}, "integer or `None`. Received: sliding_window=0"),
        ({"num_key_value_heads": 3}, "num_key_value_heads=3, num_heads=4"),
        ({"output_shape": "8"}, "Received: output_shape='8'"),
        ({"attention_axes": "1"}, "Received: attention_axes=1"),
        (
            {"dropout": 0.1, "flash_attention": True},
            "Received: dropout=0.1, flash_attention=True",
        ),
    ],
)
def test_errors_name_what_was_received(arguments, message):
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(**{"num_heads": 4, "key_dim": 3, **arguments})


def test_keys_and_values_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"value_shape=\(2, 5, 7\).*\(2, 6, 8\)"):
        MultiHeadAttention(4, 3)(X, SOURCE, X)
