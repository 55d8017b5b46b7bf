import keras_hub
import numpy as np
import pytest

from kftune.models.gpt2.gpt2_preset import save_float16_preset


@pytest.mark.backend
def test_keras_hub_opens_the_folder_in_float32(gpt2_backbone, gpt2_tokenizer, tmp_path):
    folder = save_float16_preset(gpt2_backbone, gpt2_tokenizer, tmp_path / "preset")
    loaded = keras_hub.models.CausalLM.from_preset(str(folder))
    assert loaded.backbone.compute_dtype == "float32"
    assert loaded.preprocessor.sequence_length == 24
    for weight, original in zip(
        loaded.backbone.get_weights(), gpt2_backbone.get_weights(), strict=True
    ):
        assert weight.dtype == np.float32
        np.testing.assert_array_equal(weight, original.astype("float16"))


def test_weights_take_two_bytes_each(gpt2_backbone, gpt2_tokenizer, tmp_path):
    import h5py

    folder = save_float16_preset(gpt2_backbone, gpt2_tokenizer, tmp_path / "preset")
    sizes = {}

    def note(_, item):
        if isinstance(item, h5py.Dataset):
            sizes[item.dtype] = sizes.get(item.dtype, 0) + item.size

    with h5py.File(folder / "model.weights.h5") as file:
        file.visititems(note)
    assert sizes == {np.dtype("float16"): gpt2_backbone.count_params()}


def test_weights_outside_float16_are_refused(gpt2_backbone, gpt2_tokenizer, tmp_path):
    gpt2_backbone.layer_norm.gamma.assign(np.full(8, 1e6))
    with pytest.raises(ValueError, match="at most 65504.*layer_norm/gamma"):
        save_float16_preset(gpt2_backbone, gpt2_tokenizer, tmp_path / "preset")
    assert not (tmp_path / "preset").exists()
