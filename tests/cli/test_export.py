import json
import sys

import keras
import pytest
from toy_pairs import save_tiny_preset
from toy_sentences import toy_sentences

import kftune
from kftune.cli.main import main
from kftune.decoding import BeamSearch
from kftune.models import (
    DecodingSettings,
    GPT2Backbone,
    GPT2CausalLM,
    GPT2CausalLMPreprocessor,
    GPT2TextClassifier,
    GPT2TextClassifierPreprocessor,
    TransformerSeq2SeqLM,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders of presets by what they hold."""
    folder = tmp_path_factory.mktemp("presets")
    save_tiny_preset(folder / "translator", languages=["de", "en"])
    parent = TransformerSeq2SeqLM.from_preset(folder / "translator")
    settings = DecodingSettings(num_beams=3, length_penalty=0.5)
    TransformerSeq2SeqLM(parent.backbone, parent.preprocessor, settings).save_to_preset(
        folder / "translator"
    )
    texts = [source for source, _ in toy_sentences(300, 1)]
    kftune.models.train_gpt2_tokenizer(texts, folder / "bpe", vocabulary_size=400)
    tokenizer = kftune.models.load_gpt2_tokenizer(folder / "bpe")
    keras.utils.set_random_seed(0)
    backbone = GPT2Backbone(400, 1, 2, 8, 16, max_sequence_length=24)
    preprocessor = GPT2TextClassifierPreprocessor(tokenizer, 16)
    GPT2TextClassifier(backbone, 2, preprocessor).save_to_preset(folder / "classifier")
    preprocessor = GPT2CausalLMPreprocessor(tokenizer, 24)
    GPT2CausalLM(backbone, preprocessor).save_to_preset(folder / "lm")
    backbone.save_to_preset(folder / "backbone")
    return folder


@pytest.fixture
def calls(monkeypatch):
    """What `export_saved_model` was called with; nothing is exported."""
    made = []

    def export(task, folder, version=None, **options):
        made.append((task, folder, version, options))
        return f"{folder}/{version or 1}"

    monkeypatch.setattr("kftune.export.saved_model.export_saved_model", export)
    return made


@pytest.mark.parametrize(("option", "beams"), [([], 3), (["--num-beams", "1"], 1)])
def test_a_translation_model_searches_as_told(folders, calls, option, beams, capsys):
    argv = ["--target-language", "de", "--version", "7", "--xla", "--no-warmup"]
    model = str(folders / "translator")
    assert main(["export", model, "serving/de", *argv, *option]) == 0
    ((task, folder, version, options),) = calls
    assert type(task) is TransformerSeq2SeqLM
    assert task.sampler.settings.num_beams == beams
    assert task.sampler.settings.length_penalty == 0.5
    assert (folder, version) == ("serving/de", 7)
    assert options == {"target_language": "de", "xla": True, "warmup": False}
    assert capsys.readouterr().out == "serving/de/7\n"


def test_a_language_model_keeps_its_sampler_unless_told(folders, calls):
    assert main(["export", str(folders / "lm"), "serving/lm"]) == 0
    assert main(["export", str(folders / "lm"), "serving/lm", "--num-beams", "2"]) == 0
    samplers = [task.sampler for task, *_ in calls]
    assert type(samplers[0]).__name__ == "TopKSampler"
    assert type(samplers[1]) is BeamSearch
    assert samplers[1].settings.num_beams == 2
    assert calls[0][3] == {"target_language": None, "xla": False, "warmup": True}


@pytest.mark.long
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="others export by a process"
)
def test_a_classifier_is_written_and_never_overwritten(folders, tmp_path, capsys):
    model, folder = str(folders / "classifier"), tmp_path / "reviews"
    argv = ["export", model, str(folder), "--no-warmup", "--version", "1"]
    assert main(argv) == 0
    assert capsys.readouterr().out == f"{folder / '1'}\n"
    written = json.loads((folder / "1/assets.extra/expected.json").read_text("utf-8"))
    assert written["task"] == "classifier"
    assert main(argv) == 1
    assert (
        "Expected a version that is not there. Received: 1" in capsys.readouterr().err
    )


def test_a_hand_off_says_what_was_compared(folders, tmp_path, capsys):
    folder = tmp_path / "hf"
    argv = ["export", str(folders / "lm"), str(folder), "--to", "hugging_face"]
    assert main(argv) == 0
    assert f"{folder}: logits of" in capsys.readouterr().out
    assert (folder / "model.safetensors").exists()


ERRORS = [
    ("nowhere", [], "Expected the name of a preset"),
    ("backbone", [], "Load it with GPT2CausalLM.from_preset"),
    ("classifier", ["--num-beams", "2"], "--num-beams with a language model only"),
    ("classifier", ["--to", "ctranslate2"], "Received: a GPT2TextClassifier in"),
    ("classifier", ["--to", "hugging_face"], "Received: a GPT2TextClassifier in"),
    ("lm", ["--to", "onnx"], "Expected a TextClassifier for --to onnx"),
    (
        "lm",
        ["--to", "ctranslate2", "--num-beams", "2", "--xla"],
        "Expected --num-beams, --xla with --to saved_model only",
    ),
]


@pytest.mark.parametrize("mistake", ERRORS, ids=lambda mistake: mistake[0])
def test_mistakes_end_with_a_message(folders, mistake, capsys, tmp_path):
    model, options, message = mistake
    folder = tmp_path / "out"
    assert main(["export", str(folders / model), str(folder), *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith("kftune export: ")
    assert message in error
    assert not folder.exists()


def test_a_missing_package_is_no_traceback(folders, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    argv = [str(folders / "lm"), str(tmp_path / "out"), "--to", "ctranslate2"]
    assert main(["export", *argv]) == 1
    assert "pip install 'kftune[ctranslate2]'" in capsys.readouterr().err
