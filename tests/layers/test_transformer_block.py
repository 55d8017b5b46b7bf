import keras
import keras_hub
import numpy as np
import pytest
from keras import ops

from kftune.layers import TransformerBlock
from tests.layers import attention_loop

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 6, 16)).astype("float32")
ENCODED = RNG.normal(size=(2, 5, 16)).astype("float32")
MASK = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]])
ENCODER_MASK = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


def randomize(layer):
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 0.3, w.shape) for w in layer.get_weights()])


@pytest.mark.parametrize("normalize_first", [True, False])
@pytest.mark.parametrize("activation", ["gelu", "relu", "silu"])
def test_a_causal_block_equals_the_decoder_of_kerashub(normalize_first, activation):
    arguments = {"normalize_first": normalize_first, "activation": activation}
    stock = keras_hub.layers.TransformerDecoder(24, 4, **arguments)
    ours = TransformerBlock(24, 4, use_causal_mask=True, **arguments)
    expected, actual = stock(X, decoder_padding_mask=MASK), ours(X, padding_mask=MASK)
    randomize(stock)
    ours.set_weights(stock.get_weights())
    expected, actual = stock(X, decoder_padding_mask=MASK), ours(X, padding_mask=MASK)
    np.testing.assert_allclose(numpy(actual), numpy(expected), atol=2e-6)


@pytest.mark.parametrize("normalize_first", [True, False])
def test_cross_attention_equals_the_decoder_of_kerashub(normalize_first):
    stock = keras_hub.layers.TransformerDecoder(24, 4, normalize_first=normalize_first)
    ours = TransformerBlock(
        24,
        4,
        normalize_first=normalize_first,
        use_causal_mask=True,
        use_cross_attention=True,
    )
    stock(X, ENCODED), ours(X, encoder_sequence=ENCODED)
    randomize(stock)
    ours.set_weights(stock.get_weights())
    expected = stock(
        X, ENCODED, decoder_padding_mask=MASK, encoder_padding_mask=ENCODER_MASK
    )
    actual = ours(X, MASK, ENCODED, ENCODER_MASK)
    np.testing.assert_allclose(numpy(actual), numpy(expected), atol=2e-6)


def encoders(normalize_first):
    """KerasHub's encoder and ours, with the same weights."""
    arguments = {"normalize_first": normalize_first, "dropout": 0.1}
    stock = keras_hub.layers.TransformerEncoder(24, 4, **arguments)
    ours = TransformerBlock(24, 4, **arguments)
    stock(X), ours(X)
    randomize(stock)
    ours.set_weights(stock.get_weights())
    return stock, ours


@pytest.mark.parametrize("normalize_first", [True, False])
def test_a_block_without_causal_mask_equals_the_encoder_of_kerashub(normalize_first):
    stock, ours = encoders(normalize_first)
    expected, actual = stock(X, padding_mask=MASK), ours(X, padding_mask=MASK)
    np.testing.assert_allclose(numpy(actual), numpy(expected), atol=2e-6)


@pytest.mark.parametrize("normalize_first", [True, False])
def test_attention_weights_are_those_of_the_encoder_of_kerashub(normalize_first):
    stock, ours = encoders(normalize_first)
    _, expected = stock(X, padding_mask=MASK, return_attention_scores=True)
    actual = numpy(ours.attention_weights(X, MASK))
    np.testing.assert_allclose(actual, numpy(expected), atol=2e-6)
    np.testing.assert_allclose(actual.sum(axis=-1), 1, atol=1e-6)


def test_attention_weights_of_a_causal_block_look_back_only():
    block = TransformerBlock(24, 4, use_causal_mask=True)
    block(X)
    randomize(block)
    weights = numpy(block.attention_weights(X))
    assert not np.triu(weights, 1).any()
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-6)
    assert (np.tril(weights) > 0).sum() == 2 * 4 * 21


@pytest.mark.parametrize("normalize_first", [True, False])
@pytest.mark.parametrize("num_key_value_heads", [None, 2, 1])
def test_steps_with_a_cache_equal_the_full_pass(normalize_first, num_key_value_heads):
    block = TransformerBlock(
        24,
        4,
        normalize_first=normalize_first,
        use_causal_mask=True,
        use_cross_attention=True,
        num_key_value_heads=num_key_value_heads,
    )
    block(X, MASK, ENCODED, ENCODER_MASK)
    randomize(block)
    full = block(X, MASK, ENCODED, ENCODER_MASK)
    cache, encoder = block.init_cache(2, 6), block.project_encoder(ENCODED)
    outputs = []
    for start, stop in ((0, 3), (3, 4), (4, 5), (5, 6)):
        output, cache = block.step(
            X[:, start:stop],
            cache,
            start,
            MASK,
            encoder_key_value=encoder,
            encoder_padding_mask=ENCODER_MASK,
        )
        outputs.append(numpy(output))
    np.testing.assert_allclose(np.concatenate(outputs, 1), numpy(full), atol=2e-6)


def layer_norm(norm, x):
    scale, shift = norm.get_weights()
    centred = x - x.mean(-1, keepdims=True)
    return scale * centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-5) + shift


def block_in_numpy(block, x, encoded):
    """Pre- or post-norm block with ReLU in float64, after the papers' formulas."""
    causal = np.tril(np.ones((x.shape[1], x.shape[1]), bool))

    def attend_to_self(x):
        layer, mask = block._self_attention_layer, MASK[:, None, None] & causal
        return attention_loop.attend(layer, x, x, mask)[0]

    def attend_to_encoder(x):
        layer, mask = block._cross_attention_layer, ENCODER_MASK[:, None, None]
        return attention_loop.attend(layer, x, encoded, mask.astype(bool))[0]

    def feed_forward(x):
        x = attention_loop.project(block._feedforward_intermediate_dense, x)
        return attention_loop.project(block._feedforward_output_dense, np.maximum(x, 0))

    x = np.asarray(x, "float64")
    for function, norm in (
        (attend_to_self, block._self_attention_layer_norm),
        (attend_to_encoder, block._cross_attention_layer_norm),
        (feed_forward, block._feedforward_layer_norm),
    ):
        if block.normalize_first:
            x = x + function(layer_norm(norm, x))
        else:
            x = layer_norm(norm, x + function(x))
    return x


@pytest.mark.parametrize("normalize_first", [True, False])
def test_numbers_and_gradients_equal_numpy(normalize_first, gradient):
    block = TransformerBlock(
        24,
        4,
        normalize_first=normalize_first,
        use_causal_mask=True,
        use_cross_attention=True,
        num_key_value_heads=2,
    )
    block(X, MASK, ENCODED, ENCODER_MASK)
    randomize(block)
    expected = block_in_numpy(block, X, ENCODED)
    actual = block(X, MASK, ENCODED, ENCODER_MASK)
    np.testing.assert_allclose(numpy(actual), expected, atol=5e-6)
    wanted = RNG.normal(size=X.shape).astype("float32")

    def loss(x):
        return ops.sum(block(x, MASK, ENCODED, ENCODER_MASK) * wanted_tensor)

    wanted_tensor = ops.convert_to_tensor(wanted)
    slopes, step = gradient(loss, X), 1e-6
    for _ in range(2):
        direction = RNG.normal(size=X.shape)
        ahead = block_in_numpy(block, X + step * direction, ENCODED)
        behind = block_in_numpy(block, X - step * direction, ENCODED)
        slope = np.sum((ahead - behind) * wanted) / (2 * step)
        np.testing.assert_allclose(np.sum(slopes * direction), slope, rtol=1e-3)


def test_a_future_or_padded_token_changes_no_bit():
    block = TransformerBlock(24, 4, use_causal_mask=True, use_cross_attention=True)
    before = numpy(block(X, MASK, ENCODED, ENCODER_MASK))
    changed, encoded = X.copy(), ENCODED.copy()
    changed[0, 4:], encoded[0, 3:] = 50.0, -50.0
    after = numpy(block(changed, MASK, encoded, ENCODER_MASK))
    np.testing.assert_array_equal(before[0, :4], after[0, :4])
    np.testing.assert_array_equal(before[1], after[1])
    encoder = TransformerBlock(24, 4)
    before = numpy(encoder(X, MASK))
    np.testing.assert_array_equal(
        before[MASK == 1], numpy(encoder(changed, MASK))[MASK == 1]
    )


def dropped_share(**rates):
    """Share of zeros among what a sublayer that drops `rates` returns in training."""
    block = TransformerBlock(24, 4, kernel_initializer="ones", **rates)
    block.build((64, 6, 16))
    seen = {}
    for name in ("_self_attention_dropout", "_activation_dropout"):
        layer = getattr(block, name)
        output = layer(ops.ones((64, 6, 16)), training=True)
        seen[name] = np.mean(numpy(output) == 0)
    seen["attention"] = block._self_attention_layer.dropout
    return list(seen.values())


def test_each_dropout_has_its_own_rate():
    shares = dropped_share(dropout=0.2, attention_dropout=0.0, activation_dropout=0.6)
    np.testing.assert_allclose(shares, [0.2, 0.6, 0.0], atol=0.03)
    shares = dropped_share(dropout=0.2)
    np.testing.assert_allclose(shares, [0.2, 0.0, 0.2], atol=0.03)


def test_dropout_is_applied_in_training_alone():
    block = TransformerBlock(24, 4, dropout=0.5, activation_dropout=0.5)
    plain = TransformerBlock(24, 4)
    plain.build(X.shape), block.build(X.shape)
    plain.set_weights(block.get_weights())
    expected = numpy(plain(X))
    np.testing.assert_array_equal(numpy(block(X)), expected)
    assert np.abs(numpy(block(X, training=True)) - expected).max() > 0.1


def test_lora_and_quantize_work_on_its_projections():
    inputs = keras.Input((6, 16))
    block = TransformerBlock(24, 4, use_causal_mask=True)
    model = keras.Model(inputs, block(inputs))
    before = numpy(model(X))
    block._self_attention_layer.query_dense.enable_lora(2)
    block._feedforward_intermediate_dense.enable_lora(2)
    np.testing.assert_allclose(numpy(model(X)), before, atol=1e-6)
    model.quantize("int8")
    dtypes = {
        keras.backend.standardize_dtype(weight.dtype)
        for weight in block.weights
        if "kernel" in weight.path and weight.path.endswith("/kernel")
    }
    assert dtypes == {"int8"}
    np.testing.assert_allclose(numpy(model(X)), before, atol=0.1)


@pytest.mark.parametrize("dtype", ["mixed_float16", "bfloat16"])
def test_half_precision_is_near_and_finite(dtype, gradient):
    block = TransformerBlock(24, 4, use_causal_mask=True, dtype=dtype)
    exact = TransformerBlock(24, 4, use_causal_mask=True)
    block.build(X.shape), exact.build(X.shape)
    block.set_weights(exact.get_weights())
    mask = MASK.copy()
    mask[0, 0] = 0  # The first token may attend to nothing.
    output = block(X, padding_mask=mask)
    assert keras.backend.standardize_dtype(output.dtype) == block.compute_dtype
    expected = numpy(exact(X, padding_mask=mask))
    np.testing.assert_allclose(numpy(ops.cast(output, "float32")), expected, atol=0.05)

    def loss(x):
        return ops.sum(ops.cast(block(x, padding_mask=mask), "float32") ** 2)

    assert np.isfinite(gradient(loss, X)).all()


def test_config_round_trip():
    arguments = {
        "intermediate_dim": 24,
        "num_heads": 4,
        "dropout": 0.2,
        "activation": "gelu",
        "layer_norm_epsilon": 1e-6,
        "normalize_first": True,
        "use_causal_mask": True,
        "use_cross_attention": True,
        "attention_dropout": 0.3,
        "activation_dropout": 0.4,
        "num_key_value_heads": 2,
        "remat": True,
    }
    config = TransformerBlock(**arguments).get_config()
    config = TransformerBlock.from_config(config).get_config()
    assert {name: config[name] for name in arguments} == arguments


def test_errors_name_what_was_received():
    with pytest.raises(ValueError, match="num_heads=5, hidden size 16"):
        TransformerBlock(24, 5)(X)
    with pytest.raises(ValueError, match="an encoder. Received: None for encoder_seq"):
        TransformerBlock(24, 4, use_cross_attention=True)(X)
    with pytest.raises(ValueError, match="use_cross_attention=False expects no"):
        TransformerBlock(24, 4)(X, encoder_sequence=ENCODED)
    with pytest.raises(ValueError, match="use_cross_attention=False expects no"):
        TransformerBlock(24, 4).project_encoder(ENCODED)
    encoder = TransformerBlock(24, 4)
    encoder.build(X.shape)
    with pytest.raises(ValueError, match="Received: use_causal_mask=False"):
        encoder.step(X[:, :1], encoder.init_cache(2, 6), 0)


def test_a_functional_model_saves_and_loads(tmp_path):
    x, encoded = keras.Input((None, 16)), keras.Input((None, 12))
    mask = keras.Input((None,), dtype="bool")
    block = TransformerBlock(24, 4, use_causal_mask=True, use_cross_attention=True)
    outputs = block(x, padding_mask=mask, encoder_sequence=encoded)
    model = keras.Model([x, mask, encoded], outputs)
    model.compile("sgd", "mse")
    inputs = [X, MASK.astype(bool), ENCODED[..., :12]]
    model.fit(inputs, X, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(inputs, verbose=0), model.predict(inputs, verbose=0)
    )
