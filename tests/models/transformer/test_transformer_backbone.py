import keras_hub
import numpy as np
import pytest
from keras import ops

from kftune.models import TransformerBackbone, load_backbone

pytestmark = pytest.mark.backend

SIZES = {
    "vocabulary_size": 31,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 12,
    "max_sequence_length": 16,
}
# The decoder differs in everything, and all that is optional is there.
UNEQUAL = {
    **SIZES,
    "decoder_vocabulary_size": 23,
    "decoder_num_layers": 1,
    "decoder_num_heads": 3,
    "decoder_hidden_dim": 6,
    "decoder_intermediate_dim": 10,
    "share_embeddings": False,
    "tie_output": False,
    "logits_bias": True,
    "normalize_first": True,
    "embedding_layer_norm": True,
    "position_embedding": "sinusoidal_fairseq",
    "position_offset": 2,
}
RNG = np.random.default_rng(5)
BATCH = {
    "encoder_token_ids": RNG.integers(0, 23, (3, 7)).astype("int32"),
    "encoder_padding_mask": np.arange(7) < np.array([[7], [4], [2]]),
    "decoder_token_ids": RNG.integers(0, 23, (3, 5)).astype("int32"),
    "decoder_padding_mask": np.arange(5) < np.array([[5], [3], [1]]),
}


def randomised(backbone):
    """Every weight and bias matters; all backends, in their orders, get the same."""
    rng = np.random.default_rng(3)
    for weight in sorted(backbone.weights, key=lambda weight: weight.path):
        weight.assign(rng.normal(0, 0.4, weight.shape))
    return backbone


@pytest.fixture
def bart():
    return randomised(keras_hub.models.BartBackbone(**SIZES))


def assert_same_states(one, other):
    expected, received = one(BATCH), other(BATCH)
    for side in ("encoder", "decoder"):
        wanted, got = (
            ops.convert_to_numpy(states[f"{side}_sequence_output"])
            for states in (expected, received)
        )
        real = BATCH[f"{side}_padding_mask"]
        assert np.ptp(wanted[real]) > 0.5
        np.testing.assert_allclose(got[real], wanted[real], atol=1e-5)


def test_weights_and_states_are_those_of_keras_hubs_bart(bart):
    ours = TransformerBackbone.from_keras_hub(bart)
    # KerasHub's encoder alone calls its attention a layer.
    names = [w.path.replace("_attention_layer/", "_attention/") for w in bart.weights]
    assert [weight.path for weight in ours.weights] == names
    layers = {layer.name for layer in bart.layers if layer.weights}
    assert {layer.name for layer in ours.layers if layer.weights} == layers
    assert_same_states(bart, ours)


def test_a_bart_folder_becomes_ours(bart, tmp_path):
    bart.save_to_preset(str(tmp_path))
    for load in (load_backbone, TransformerBackbone.from_preset):
        ours = load(tmp_path)
        assert type(ours) is TransformerBackbone
        assert_same_states(bart, ours)


@pytest.mark.long
@pytest.mark.parametrize("sizes", [SIZES, UNEQUAL], ids=["equal", "unequal"])
@pytest.mark.parametrize("prompt_length", [1, 3])
def test_steps_give_the_states_of_the_full_pass(sizes, prompt_length):
    backbone = randomised(TransformerBackbone(**sizes))
    ids, mask = BATCH["decoder_token_ids"], BATCH["encoder_padding_mask"]
    full = {**BATCH, "decoder_padding_mask": np.ones_like(ids)}
    expected = ops.convert_to_numpy(backbone(full)["decoder_sequence_output"])
    encoded = backbone.encode(BATCH["encoder_token_ids"], mask)
    source = {
        "encoder_key_values": backbone.project_encoder(encoded),
        "encoder_padding_mask": mask,
    }
    cache = backbone.init_cache(3, 9)
    hidden, cache = backbone.step(ids[:, :prompt_length], cache, 0, **source)
    received = [ops.convert_to_numpy(hidden)]
    for index in range(prompt_length, 5):
        position = ops.convert_to_tensor(index, "int32")
        token = ids[:, index : index + 1]
        hidden, cache = backbone.step(token, cache, position, **source)
        received.append(ops.convert_to_numpy(hidden))
    np.testing.assert_allclose(np.concatenate(received, 1), expected, atol=1e-5)
    logits = backbone.logits(hidden)
    assert tuple(logits.shape) == (3, 1, sizes.get("decoder_vocabulary_size", 31))


def test_the_source_counts_and_its_padding_does_not():
    backbone = randomised(TransformerBackbone(**UNEQUAL))
    expected = ops.convert_to_numpy(backbone(BATCH)["decoder_sequence_output"])
    padded = BATCH["encoder_token_ids"].copy()
    padded[~BATCH["encoder_padding_mask"]] = 9
    received = backbone({**BATCH, "encoder_token_ids": padded})
    received = ops.convert_to_numpy(received["decoder_sequence_output"])
    np.testing.assert_array_equal(received, expected)
    padded[0, 0] = (padded[0, 0] + 1) % 23
    received = backbone({**BATCH, "encoder_token_ids": padded})
    received = ops.convert_to_numpy(received["decoder_sequence_output"])
    assert np.abs(received[0] - expected[0]).max() > 0.01


def test_the_optional_layers():
    backbone = TransformerBackbone(**UNEQUAL)
    tables = {w.path: tuple(w.shape) for w in backbone.weights if "token_emb" in w.path}
    assert tables == {
        "encoder_token_embedding/embeddings": (31, 8),
        "decoder_token_embedding/embeddings": (23, 6),
        "decoder_token_embedding/reverse_embeddings": (6, 23),
        "decoder_token_embedding/logits_bias": (23,),
    }
    norms = {x.name for x in backbone.layers if x.name.endswith("layer_norm")}
    assert norms == {
        "encoder_embeddings_layer_norm",
        "decoder_embeddings_layer_norm",
        "encoder_layer_norm",
        "decoder_layer_norm",
    }
    plain = TransformerBackbone(**SIZES)
    assert not any(x.name.endswith("layer_norm") for x in plain.layers)
    assert sum("token_embedding" in w.path for w in plain.weights) == 1


def test_embeddings_are_scaled_and_positions_added():
    backbone = randomised(TransformerBackbone(**{**SIZES, "num_layers": 1}))
    # A block without weights passes its normalised input on.
    block = backbone.encoder_transformer_layers[0]
    names = ["gamma" in weight.path for weight in block.weights]
    block.set_weights(
        [
            np.full(weight.shape, float(gamma))
            for weight, gamma in zip(block.weights, names, strict=True)
        ]
    )
    ids = BATCH["encoder_token_ids"]
    received = ops.convert_to_numpy(backbone.encode(ids, np.ones_like(ids)))
    table = ops.convert_to_numpy(backbone.token_embedding.embeddings)
    angles = np.arange(7)[:, None] / 10000 ** (np.arange(4) / 4)
    x = table[ids] * np.sqrt(8) + np.concatenate([np.sin(angles), np.cos(angles)], 1)
    for _ in range(2):  # after the attention and after the feed-forward layer
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(received, x, atol=1e-4)


@pytest.mark.parametrize("sizes", [SIZES, UNEQUAL], ids=["equal", "unequal"])
def test_every_argument_comes_back_from_the_config(sizes):
    options = {
        "dropout": 0.3,
        "attention_dropout": 0.2,
        "activation_dropout": 0.4,
        "activation": "silu",
        "initializer_stddev": 0.5,
        "scale_embedding": False,
        "remat": True,
        "name": "mine",
        "dtype": "bfloat16",
    }
    backbone = TransformerBackbone(**{**sizes, **options})
    config = backbone.get_config()
    again = TransformerBackbone.from_config(config)
    assert again.get_config() == config
    given = {**sizes, **options}
    del given["dtype"]
    assert {key: config[key] for key in given} == given
    assert again.compute_dtype == "bfloat16"


@pytest.mark.long
@pytest.mark.parametrize("sizes", [SIZES, UNEQUAL], ids=["equal", "unequal"])
def test_a_preset_comes_back(sizes, tmp_path):
    backbone = randomised(TransformerBackbone(**sizes))
    backbone.save_to_preset(tmp_path)
    for load in (load_backbone, TransformerBackbone.from_preset):
        assert_same_states(backbone, load(tmp_path))


def test_all_that_does_not_fit_is_named_at_once():
    with pytest.raises(ValueError, match="position_embedding") as error:
        TransformerBackbone(
            **{**SIZES, "num_heads": 3, "num_layers": 0},
            decoder_hidden_dim=6,
            position_embedding="rotary",
        )
    message = str(error.value)
    assert "num_layers >= 1. Received: 0" in message
    assert "decoder_num_layers >= 1. Received: 0" in message
    assert "num_heads to divide hidden_dim. Received: 3 and 8" in message
    assert "[31, 8], of the decoder [31, 6]" in message
    assert "'rotary'" in message
