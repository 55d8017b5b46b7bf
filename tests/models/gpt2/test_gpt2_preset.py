import json
import subprocess
import sys

import keras_hub
import numpy as np
import pytest

from kftune.models.gpt2.gpt2_preset import save_float16_preset
from kftune.models.pretrained.preset_catalog import SHIPPED_FOLDER

SHIPPED = SHIPPED_FOLDER / "gpt2_tiny_en"


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


def stored_numbers(folder):
    """How many numbers of which dtype `model.weights.h5` holds."""
    import h5py

    sizes = {}

    def note(_, item):
        if isinstance(item, h5py.Dataset):
            sizes[item.dtype] = sizes.get(item.dtype, 0) + item.size

    with h5py.File(folder / "model.weights.h5") as file:
        file.visititems(note)
    return sizes


def test_weights_take_two_bytes_each(gpt2_backbone, gpt2_tokenizer, tmp_path):
    folder = save_float16_preset(gpt2_backbone, gpt2_tokenizer, tmp_path / "preset")
    count = gpt2_backbone.count_params()
    assert stored_numbers(folder) == {np.dtype("float16"): count}


def test_the_shipped_preset_is_small():
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 16 * 2**20
    sizes = stored_numbers(SHIPPED)
    assert list(sizes) == [np.dtype("float16")]
    assert 4e6 <= sum(sizes.values()) <= 6e6
    config = json.loads((SHIPPED / "config.json").read_text("utf-8"))
    assert config["config"]["max_sequence_length"] == 256


@pytest.mark.backend
def test_keras_hub_opens_the_shipped_preset_without_kftune():
    script = f"""
import sys, keras_hub
task = keras_hub.models.CausalLM.from_preset({str(SHIPPED)!r})
text = task.generate("The film", max_length=4)
print(type(task).__module__, "kftune" in sys.modules, text.startswith("The film"))
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    module, imported, starts = run.stdout.split()[-3:]
    assert module.startswith("keras_hub.")
    assert (imported, starts) == ("False", "True")


def test_weights_outside_float16_are_refused(gpt2_backbone, gpt2_tokenizer, tmp_path):
    gpt2_backbone.layer_norm.gamma.assign(np.full(8, 1e6))
    with pytest.raises(ValueError, match="at most 65504.*layer_norm/gamma"):
        save_float16_preset(gpt2_backbone, gpt2_tokenizer, tmp_path / "preset")
    assert not (tmp_path / "preset").exists()
