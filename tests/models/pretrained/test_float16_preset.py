import configparser
import json
import subprocess
import sys
from pathlib import Path

import h5py
import keras_hub
import numpy as np
import pytest
from translation_files import SOURCE, TARGET

from kftune.cli.main import main
from kftune.models import (
    DecodingSettings,
    TransformerBackbone,
    TransformerSeq2SeqLM,
    TransformerSeq2SeqLMPreprocessor,
    presets,
    save_float16_preset,
    train_marian_tokenizer,
)
from kftune.models.pretrained import preset_catalog
from kftune.models.pretrained.preset_catalog import SHIPPED_FOLDER
from kftune.tuning import freeze

ROOT = Path(__file__).parents[3]
GPT2_TINY = SHIPPED_FOLDER / "gpt2_tiny_en"
SHIPPED = sorted(config.parent for config in SHIPPED_FOLDER.glob("*/config.json"))


@pytest.fixture(scope="module")
def translator():
    """A small model of two directions whose every weight matters."""
    tokenizer = train_marian_tokenizer(
        SOURCE, TARGET, 320, languages=["de", "en"], character_coverage=1.0
    )
    backbone = TransformerBackbone(
        tokenizer.vocabulary_size(), 1, 2, 16, 24, dropout=0.0, max_sequence_length=32
    )
    rng = np.random.default_rng(0)
    for weight in backbone.weights:
        weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    preprocessor = TransformerSeq2SeqLMPreprocessor(tokenizer, 24, 20)
    settings = DecodingSettings(num_beams=3)
    return TransformerSeq2SeqLM(backbone, preprocessor, settings)


def stored_numbers(folder):
    """How many numbers of which dtype `model.weights.h5` holds."""
    sizes = {}

    def note(_, item):
        if isinstance(item, h5py.Dataset):
            sizes[item.dtype] = sizes.get(item.dtype, 0) + item.size

    with h5py.File(folder / "model.weights.h5") as file:
        file.visititems(note)
    return sizes


def files_of(folder):
    return {path for path in folder.rglob("*") if path.is_file()}


def packaged_files(folder):
    """Files of a folder of shipped presets that setup.cfg puts into the wheel."""
    options = configparser.ConfigParser()
    options.read(ROOT / "setup.cfg", "utf-8")
    patterns = options["options.package_data"]["kftune.models"].split(",")
    found = {
        path for pattern in patterns for path in folder.parent.glob(pattern.strip())
    }
    return found & files_of(folder)


@pytest.mark.backend
def test_keras_hub_opens_the_folder_in_float32(gpt2_lm, tmp_path):
    folder = save_float16_preset(gpt2_lm, tmp_path / "preset", dropout=0.3)
    loaded = keras_hub.models.CausalLM.from_preset(str(folder))
    assert loaded.backbone.compute_dtype == "float32"
    assert loaded.backbone.dropout == 0.3
    assert loaded.preprocessor.sequence_length == 24
    originals = gpt2_lm.backbone.get_weights()
    for weight, original in zip(loaded.backbone.get_weights(), originals, strict=True):
        assert weight.dtype == np.float32
        np.testing.assert_array_equal(weight, original.astype("float16"))


@pytest.mark.long
@pytest.mark.backend
def test_a_translation_model_comes_back_rounded(translator, tmp_path):
    x, _, _ = translator.preprocessor([f">>de<< {t}" for t in SOURCE], TARGET)
    unrounded = translator.predict(x, verbose=0)
    folder = save_float16_preset(translator, tmp_path / "preset", dropout=0.2)
    loaded = TransformerSeq2SeqLM.from_preset(folder, offline=True)
    assert loaded.backbone.compute_dtype == "float32"
    config = loaded.backbone.get_config()
    assert (config["dropout"], config["attention_dropout"]) == (0.2, 0.0)
    assert loaded.decoding_settings == translator.decoding_settings
    assert loaded.preprocessor.fingerprint() == translator.preprocessor.fingerprint()

    received = loaded.predict(x, verbose=0)
    assert received.dtype == np.float32
    assert np.abs(received - unrounded).max() > 1e-5
    backbone = TransformerBackbone.from_config(translator.backbone.get_config())
    rounded = TransformerSeq2SeqLM(backbone, translator.preprocessor)
    backbone.set_weights(
        [w.astype("float16").astype("float32") for w in translator.get_weights()]
    )
    np.testing.assert_allclose(received, rounded.predict(x, verbose=0), atol=1e-5)
    for task in (loaded, rounded):
        task.compile(sampler="greedy")
    options = {"max_length": 12, "target_language": "de"}
    assert loaded.generate(SOURCE, **options) == rounded.generate(SOURCE, **options)
    # The texts of a model that learnt nothing may be alike; its scores are not.
    english, _, _ = loaded.preprocessor([f">>en<< {t}" for t in SOURCE], TARGET)
    assert np.abs(loaded.predict(english, verbose=0) - received).max() > 1e-3


@pytest.mark.parametrize("name", ["gpt2_lm", "translator"])
def test_weights_take_two_bytes_each(name, request, tmp_path):
    task = request.getfixturevalue(name)
    folder = save_float16_preset(task, tmp_path / "preset")
    count = task.backbone.count_params()
    assert stored_numbers(folder) == {np.dtype("float16"): count}
    metadata = json.loads((folder / "metadata.json").read_text("utf-8"))
    assert metadata["parameter_count"] == count
    assert [path.name for path in tmp_path.iterdir()] == ["preset"]
    assert not [path for path in folder.iterdir() if path.name.startswith("tmp")]


@pytest.mark.long
def test_a_shipped_translation_model_is_known_by_its_name(
    translator, tmp_path, monkeypatch, capsysbinary
):
    shipped = tmp_path / "shipped"
    monkeypatch.setattr(preset_catalog, "SHIPPED_FOLDER", shipped)
    folder = save_float16_preset(translator, shipped / "transformer_tiny_en_de")
    assert {"source.spm", "target.spm"} <= {path.name for path in files_of(folder)}
    assert packaged_files(shipped) == files_of(shipped)
    listed = {preset.name: str(preset) for preset in presets()}
    line = listed["transformer_tiny_en_de"]
    assert "shipped" in line and "at hand" in line
    millions = translator.count_params() / 1e6
    assert line.endswith(f"TransformerSeq2SeqLM, {millions:.1f} M parameters")

    task = TransformerSeq2SeqLM.from_preset("transformer_tiny_en_de", offline=True)
    task.compile(sampler="greedy")
    (text,) = task.generate(SOURCE[:1], max_length=8, target_language="de")
    (tmp_path / "source.en").write_text(SOURCE[0] + "\n", "utf-8")
    arguments = ["translate", "--model", "transformer_tiny_en_de", "--num-beams", "1"]
    arguments += ["--target-language", "de", "--max-length", "8"]
    assert main([*arguments, str(tmp_path / "source.en")]) == 0
    assert capsysbinary.readouterr().out.decode("utf-8") == text + "\n"


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_shipped_presets_are_small(folder):
    assert sum(path.stat().st_size for path in files_of(folder)) <= 16 * 2**20
    assert files_of(folder) <= packaged_files(SHIPPED_FOLDER)
    sizes = stored_numbers(folder)
    assert list(sizes) == [np.dtype("float16")]
    metadata = json.loads((folder / "metadata.json").read_text("utf-8"))
    assert metadata["parameter_count"] == sum(sizes.values())


def test_the_shipped_gpt2_is_as_documented():
    assert GPT2_TINY in SHIPPED
    assert 4e6 <= sum(stored_numbers(GPT2_TINY).values()) <= 6e6
    config = json.loads((GPT2_TINY / "config.json").read_text("utf-8"))
    assert config["config"]["max_sequence_length"] == 256


@pytest.mark.long
@pytest.mark.backend
def test_keras_hub_opens_the_shipped_preset_without_kftune():
    script = f"""
import sys, keras_hub
task = keras_hub.models.CausalLM.from_preset({str(GPT2_TINY)!r})
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


@pytest.mark.parametrize("wrong", [1e6, np.nan])
def test_weights_outside_float16_are_refused(wrong, gpt2_lm, tmp_path):
    gpt2_lm.backbone.layer_norm.gamma.assign(np.full(8, wrong))
    with pytest.raises(ValueError, match="at most 65504.*layer_norm/gamma"):
        save_float16_preset(gpt2_lm, tmp_path / "preset")
    assert not any(tmp_path.iterdir())


def test_a_folder_of_other_things_is_not_replaced(gpt2_lm, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"notes\.txt and no config\.json"):
        save_float16_preset(gpt2_lm, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.backend
def test_nothing_is_saved_as_frozen(gpt2_lm, tmp_path):
    freeze(gpt2_lm, "all_but_last:1")
    folder = save_float16_preset(gpt2_lm, tmp_path / "preset")
    assert not (folder / "freezing.json").exists()
    loaded = type(gpt2_lm).from_preset(folder)
    assert len(loaded.trainable_weights) == len(loaded.weights)
