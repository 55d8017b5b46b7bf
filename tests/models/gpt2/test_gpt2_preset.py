import keras_hub
import numpy as np
import pytest

from kftune.models.gpt2.gpt2_preset import save_float16_preset
from kftune.models.gpt2.gpt2_tokenizer_trainer import train_gpt2_tokenizer


@pytest.fixture
def backbone():
    return keras_hub.models.GPT2Backbone(
        vocabulary_size=260,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=12,
    )


@pytest.fixture
def tokenizer(tmp_path):
    folder = train_gpt2_tokenizer(["low lower"] * 5, tmp_path / "vocabulary", 260)
    return keras_hub.tokenizers.GPT2Tokenizer(
        str(folder / "vocabulary.json"), str(folder / "merges.txt")
    )


@pytest.mark.backend
def test_keras_hub_opens_the_folder_in_float32(backbone, tokenizer, tmp_path):
    folder = save_float16_preset(backbone, tokenizer, tmp_path / "preset")
    loaded = keras_hub.models.CausalLM.from_preset(str(folder))
    assert loaded.backbone.compute_dtype == "float32"
    assert loaded.preprocessor.sequence_length == 12
    for weight, original in zip(
        loaded.backbone.get_weights(), backbone.get_weights(), strict=True
    ):
        assert weight.dtype == np.float32
        np.testing.assert_array_equal(weight, original.astype("float16"))


def test_weights_take_two_bytes_each(backbone, tokenizer, tmp_path):
    import h5py

    folder = save_float16_preset(backbone, tokenizer, tmp_path / "preset")
    sizes = {}

    def note(_, item):
        if isinstance(item, h5py.Dataset):
            sizes[item.dtype] = sizes.get(item.dtype, 0) + item.size

    with h5py.File(folder / "model.weights.h5") as file:
        file.visititems(note)
    assert sizes == {np.dtype("float16"): backbone.count_params()}


def test_weights_outside_float16_are_refused(backbone, tokenizer, tmp_path):
    backbone.layer_norm.gamma.assign(np.full(8, 1e6))
    with pytest.raises(ValueError, match="at most 65504.*layer_norm/gamma"):
        save_float16_preset(backbone, tokenizer, tmp_path / "preset")
    assert not (tmp_path / "preset").exists()
