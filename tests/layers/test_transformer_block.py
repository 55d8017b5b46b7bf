import keras
import keras_hub
import numpy as np
import pytest
from keras import ops

from kftune.layers import TransformerBlock

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


@pytest.mark.parametrize("normalize_first", [True, False])
def test_a_block_without_causal_mask_equals_the_encoder_of_kerashub(normalize_first):
    arguments = {"normalize_first": normalize_first, "dropout": 0.1}
    stock = keras_hub.layers.TransformerEncoder(24, 4, **arguments)
    ours = TransformerBlock(24, 4, **arguments)
    stock(X), ours(X)
    randomize(stock)
    ours.set_weights(stock.get_weights())
    expected, actual = stock(X, padding_mask=MASK), ours(X, padding_mask=MASK)
    np.testing.assert_allclose(numpy(actual), numpy(expected), atol=2e-6)


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
    with pytest.raises(ValueError, match="expects an encoder.*encoder_sequence=None"):
        TransformerBlock(24, 4, use_cross_attention=True)(X)
    with pytest.raises(ValueError, match="use_cross_attention=False expects no"):
        TransformerBlock(24, 4)(X, encoder_sequence=ENCODED)


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
