import os

import keras
import keras_hub
import numpy as np
import pytest
from keras import ops

from kftune.models import GPT2Backbone, load_backbone
from kftune.models.pretrained.preset_catalog import SHIPPED_FOLDER

pytestmark = pytest.mark.backend

SIZES = {
    "vocabulary_size": 31,
    "num_layers": 3,
    "num_heads": 2,
    "hidden_dim": 8,
    "intermediate_dim": 12,
    "max_sequence_length": 16,
    "dropout": 0.0,
}
RNG = np.random.default_rng(5)
BATCH = {
    "token_ids": RNG.integers(0, 31, (3, 7)).astype("int32"),
    "padding_mask": np.arange(7) < np.array([[7], [4], [2]]),
}


@pytest.fixture
def stock():
    return randomised(keras_hub.models.GPT2Backbone(**SIZES))


def randomised(backbone):
    """Every weight and bias matters."""
    rng = np.random.default_rng(3)
    backbone.set_weights([rng.normal(0, 0.4, w.shape) for w in backbone.weights])
    return backbone


def states(backbone, batch=BATCH):
    return ops.convert_to_numpy(backbone(batch))[batch["padding_mask"]]


def test_weights_and_states_are_those_of_keras_hub(stock):
    ours = GPT2Backbone(**SIZES)
    names = [weight.path for weight in stock.weights]
    assert [weight.path for weight in ours.weights] == names
    assert [layer.name for layer in ours.layers] == [x.name for x in stock.layers]
    ours.set_weights(stock.get_weights())
    np.testing.assert_allclose(states(ours), states(stock), atol=1e-5)
    assert np.ptp(states(stock)) > 1


def test_conversion_both_ways(stock):
    ours = GPT2Backbone.from_keras_hub(stock)
    again = ours.to_keras_hub()
    assert type(again) is keras_hub.models.GPT2Backbone
    assert again.get_config() == stock.get_config()
    for received, wanted in zip(again.get_weights(), stock.get_weights(), strict=True):
        np.testing.assert_array_equal(received, wanted)


def test_lora_is_merged_into_keras_hubs_weights(stock):
    ours = GPT2Backbone.from_keras_hub(stock)
    ours.enable_lora(2)
    for weight in ours.weights:
        if weight.name.startswith("lora_"):
            weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    assert np.abs(states(ours) - states(stock)).max() > 0.1
    np.testing.assert_allclose(states(ours.to_keras_hub()), states(ours), atol=1e-4)


def test_integer_weights_are_converted(stock):
    stock.quantize("int8")
    ours = GPT2Backbone.from_keras_hub(stock)
    assert ours.token_embedding.quantization_mode == "int8"
    np.testing.assert_allclose(states(ours), states(stock), atol=1e-4)


@pytest.mark.parametrize("prompt_length", [1, 4])
def test_steps_give_the_states_of_the_full_pass(stock, prompt_length):
    ours = GPT2Backbone.from_keras_hub(stock)
    ids = BATCH["token_ids"]
    expected = ops.convert_to_numpy(
        ours({"token_ids": ids, "padding_mask": np.ones_like(ids)})
    )
    cache = ours.init_cache(3, 10)
    assert len(cache) == 3
    hidden, cache = ours.step(ids[:, :prompt_length], cache, 0)
    received = [ops.convert_to_numpy(hidden)]
    for index in range(prompt_length, 7):
        position = ops.convert_to_tensor(index, "int32")
        hidden, cache = ours.step(ids[:, index : index + 1], cache, position)
        received.append(ops.convert_to_numpy(hidden))
    np.testing.assert_allclose(np.concatenate(received, 1), expected, atol=1e-5)


def test_a_masked_position_of_the_cache_is_not_attended_to(stock):
    ours = GPT2Backbone.from_keras_hub(stock)
    ids, mask = BATCH["token_ids"], np.ones((3, 7), bool)
    mask[:, 2] = False
    others = ids.copy()
    others[:, 2] = (others[:, 2] + 1) % 31
    received = []
    for row in (ids, others):
        hidden, _ = ours.step(row, ours.init_cache(3, 7), 0, padding_mask=mask)
        received.append(ops.convert_to_numpy(hidden))
    np.testing.assert_array_equal(received[0][:, 3:], received[1][:, 3:])
    assert np.abs(received[0][:, 2] - received[1][:, 2]).max() > 0.01


def test_logits_are_those_of_the_tied_embedding(stock):
    ours = GPT2Backbone.from_keras_hub(stock)
    hidden = np.random.default_rng(1).normal(size=(2, 3, 8)).astype("float32")
    table = ops.convert_to_numpy(ours.token_embedding.embeddings)
    received = ops.convert_to_numpy(ours.logits(hidden))
    np.testing.assert_allclose(received, hidden @ table.T, atol=1e-4)


def test_every_argument_comes_back_from_the_config():
    options = {"dropout": 0.3, "remat": True, "name": "mine", "dtype": "bfloat16"}
    given = {**SIZES, **options}
    ours = GPT2Backbone(**given)
    again = GPT2Backbone.from_config(ours.get_config())
    assert again.get_config() == ours.get_config()
    del given["dtype"]
    assert {key: ours.get_config()[key] for key in given} == given
    assert again.compute_dtype == "bfloat16"
    assert again.transformer_layers[0].remat


@pytest.mark.long
def test_training_is_the_same_with_states_computed_again(stock, quick):
    weights = []
    for remat in (False, True):
        ours = GPT2Backbone.from_keras_hub(stock)
        ours.remat = remat
        assert ours.transformer_layers[2].remat == ours.get_config()["remat"] == remat
        ours.compile(keras.optimizers.SGD(0.1), "mse", **quick)
        ours.fit(BATCH, np.ones((3, 7, 8)), verbose=0)
        weights.append(ours.get_weights())
    for plain, again in zip(*weights, strict=True):
        np.testing.assert_allclose(again, plain, atol=1e-5)
    assert not np.allclose(weights[0][0], stock.get_weights()[0])


def test_a_preset_opens_with_keras_hub_and_with_kftune(stock, tmp_path):
    GPT2Backbone.from_keras_hub(stock).save_to_preset(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [
        "config.json",
        "metadata.json",
        "model.weights.h5",
    ]
    theirs = keras_hub.models.Backbone.from_preset(str(tmp_path))
    assert type(theirs) is keras_hub.models.GPT2Backbone
    ours = GPT2Backbone.from_preset(tmp_path, offline=True)
    for backbone in (theirs, ours, load_backbone(tmp_path)):
        np.testing.assert_allclose(states(backbone), states(stock), atol=1e-5)


def test_a_failed_save_leaves_the_old_preset(stock, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    ours = GPT2Backbone.from_keras_hub(stock)
    ours.save_to_preset(tmp_path)
    ours.token_embedding.embeddings.assign(ours.token_embedding.embeddings + 1)
    monkeypatch.setattr(keras_hub.models.GPT2Backbone, "save_weights", fail)
    with pytest.raises(OSError, match="disk full"):
        ours.save_to_preset(tmp_path)
    again = GPT2Backbone.from_preset(tmp_path)
    np.testing.assert_allclose(states(again), states(stock), atol=1e-5)


def test_the_shipped_preset_is_ours():
    theirs = keras_hub.models.Backbone.from_preset(str(SHIPPED_FOLDER / "gpt2_tiny_en"))
    for ours in (
        load_backbone("gpt2_tiny_en"),
        GPT2Backbone.from_preset("gpt2_tiny_en"),
    ):
        assert type(ours) is GPT2Backbone
        np.testing.assert_allclose(states(ours), states(theirs), atol=1e-5)


def test_another_model_is_refused(tmp_path):
    keras_hub.models.BertBackbone(
        vocabulary_size=9, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    ).save_to_preset(str(tmp_path))
    with pytest.raises(ValueError, match=r"GPT2Backbone in .*Received: BertB.*load_b"):
        GPT2Backbone.from_preset(tmp_path)


def test_random_weights_on_request(stock, tmp_path):
    GPT2Backbone.from_keras_hub(stock).save_to_preset(tmp_path)
    keras.utils.set_random_seed(1)
    ours = GPT2Backbone.from_preset(tmp_path, load_weights=False, dtype="float16")
    assert ours.compute_dtype == "float16"
    table = ops.convert_to_numpy(ours.token_embedding.embeddings)
    assert 0.005 < table.std() < 0.02
