"""Which version is verified, how outcomes are reported, and all checks in a row."""

import json

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from small_saved_models import (
    TEXTS,
    save_compiled,
    save_parrot,
    write_expected,
    write_warm_up,
)

import kftune
from kftune.cli.main import main
from kftune.export.checks import version_files
from kftune.export.checks.processes import Finished, run_module
from kftune.models import (
    DenseHead,
    GPT2CausalLM,
    TextClassifier,
    TextClassifierPreprocessor,
    TransformerSeq2SeqLM,
)

RUN_MODULE = "kftune.export.verify_saved_model.run_module"
LABELS = ["rotten", "fresh", "mixed"]
SWAPPED = ["fresh", "rotten", "mixed"]


def make_version(folder):
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    return folder


def answering(status, text):
    """Stands in for the processes: each check has this outcome."""
    line = json.dumps({"status": status, "text": text})
    return lambda module, arguments: Finished(f"noise\n{line}\n", "exit status 0: ")


def test_the_newest_version_is_meant(tmp_path):
    for name in ("2", "10", "010", "latest", ".writing-11"):
        make_version(tmp_path / name)
    (tmp_path / "11").mkdir()
    assert version_files.find_version(tmp_path) == tmp_path / "10"
    assert version_files.find_version(tmp_path / "2") == tmp_path / "2"


def test_folders_without_a_version_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="Received: no saved_model.pb"):
        version_files.find_version(tmp_path)
    with pytest.raises(FileNotFoundError, match="Received: nothing at .*nowhere"):
        version_files.find_version(tmp_path / "nowhere")
    make_version(tmp_path / "latest")
    with pytest.raises(ValueError, match="positive integers. Received: 'latest'"):
        version_files.find_version(tmp_path)


def test_broken_files_are_errors(tmp_path):
    version = make_version(tmp_path / "1")
    with pytest.raises(ValueError, match=r"the tag serve. Received: \[\]"):
        version_files.read_meta_graph(version)
    (version / "saved_model.pb").write_bytes(b"\xff" * 9)
    with pytest.raises(ValueError, match="a file that is none. Export again"):
        version_files.read_meta_graph(version)
    path = version / "assets.extra" / "expected.json"
    path.parent.mkdir()
    path.write_text("{")
    with pytest.raises(ValueError, match="Expected JSON in .*expected.json"):
        version_files.read_expected(version)
    path.write_text('{"cases": [{"signature": "embed"}]}')
    with pytest.raises(ValueError, match="cases with signature, inputs and outputs"):
        version_files.read_expected(version)


def test_outcomes_are_reported_one_by_one(tmp_path, monkeypatch):
    monkeypatch.setattr(RUN_MODULE, answering("ok", "shown"))
    version = make_version(tmp_path / "1")
    seen = []
    report = kftune.export.verify(tmp_path, on_outcome=lambda *pair: seen.append(pair))
    assert report.ok and report.version_folder == version
    assert seen == list(report.outcomes.items())
    assert "preset" not in report.outcomes
    assert str(report).splitlines()[0] == "ok      layout: shown"
    assert str(report).endswith(f"{version}: no check of 7 failed")
    assert "preset" in kftune.export.verify(tmp_path, preset="runs/model").outcomes


def test_a_failed_check_decides_the_exit_status(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(RUN_MODULE, answering("FAILED", "one\ntwo"))
    make_version(tmp_path / "1")
    assert main(["verify", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("FAILED  layout: one\n        two\nFAILED  ops: one\n")
    assert shown.endswith(
        "FAILED layout, ops, c_api, server_session, warmup, expected, cost\n"
    )


def test_a_process_that_dies_is_a_failed_check(tmp_path, monkeypatch):
    died = Finished("", "killed by signal 6: terminate called")
    monkeypatch.setattr(RUN_MODULE, lambda module, arguments: died)
    make_version(tmp_path / "1")
    report = kftune.export.verify(tmp_path)
    assert not report.ok and len(report.failures) == 7
    assert report.outcomes["c_api"].text.endswith(
        "killed by signal 6: terminate called"
    )


def test_mistakes_of_the_command(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 1
    assert "kftune verify: Expected a SavedModel in" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["verify", str(tmp_path), "--calls", "0"])
    assert "expected 1 or more. Received: 0" in capsys.readouterr().err
    with pytest.raises(ValueError, match="calls of 1 or more. Received: 0"):
        kftune.export.verify(tmp_path, calls=0)


@pytest.mark.long
def test_checks_run_in_processes(scorer, monkeypatch, capsys):
    checks = ("c_api", "expected")
    monkeypatch.setattr("kftune.export.verify_saved_model._CHECKS", checks)
    answers = json.loads((scorer / "assets.extra" / "expected.json").read_text())
    answers["cases"][0]["outputs"]["label"][0] = "fresh"
    write_expected(scorer, answers["cases"])
    assert main(["verify", str(scorer.parent)]) == 1
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith("ok      c_api: ")
    assert second.startswith("FAILED  expected: serving_default, case 1: label: ")
    assert last == f"{scorer}: FAILED expected"


@pytest.mark.long
def test_a_good_one_passes_everything(scorer, capsys):
    write_warm_up(scorer, {"text": ["A treat."]})
    assert main(["verify", str(scorer.parent), "--calls", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = ["layout", "ops", "c_api", "server_session", "warmup", "expected", "cost"]
    assert [line.split(":")[0] for line in lines[:-1]] == [
        f"ok      {n}" for n in names
    ]
    assert lines[-1] == f"{scorer}: no check of 7 failed"


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A tiny classifier, and the folder of its preset."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "treat", ".", "2"]
    tokenizer = keras_hub.models.DistilBertTokenizer(words)
    backbone = keras_hub.models.DistilBertBackbone(
        vocabulary_size=len(words),
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=16,
    )
    preprocessor = TextClassifierPreprocessor(tokenizer, sequence_length=8)
    task = TextClassifier(backbone, DenseHead(3, label_names=LABELS), preprocessor)
    for weight in task.head.weights:
        weight.assign(np.random.default_rng(1).normal(0, 1, weight.shape))
    folder = tmp_path_factory.mktemp("preset") / "model"
    task.save_to_preset(str(folder))
    return task, folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "step", "status", "part"),
    [
        (LABELS, 0, "ok", "3 texts as"),
        (SWAPPED, 0, "FAILED", "label_names: expected the same texts"),
        (LABELS, 1e-3, "FAILED", "probabilities: expected numbers within 1e-05"),
    ],
)
def test_a_stale_export_of_a_preset_is_found(
    classifier, version, *, names, step, status, part
):
    task, folder = classifier
    probabilities = tf.nn.softmax(keras.ops.convert_to_numpy(task.predict(TEXTS)))
    outputs = {
        "probabilities": (probabilities + step).numpy().astype("float32"),
        "label_names": [names] * len(TEXTS),
    }
    save_parrot(version, TEXTS, outputs)
    found = compared(version, "classifier", TEXTS, folder)
    assert found["status"] == status, found
    assert part in found["text"]
    assert ("export it again" in found["text"]) == (status == "FAILED")


@pytest.mark.slow
def test_completions_of_a_preset(version):
    task = GPT2CausalLM.from_preset("gpt2_tiny_en")
    task.compile(sampler="greedy")
    prompts = ["The film", "A slow start, and"]
    ids = [task.preprocessor.tokenizer.tokenize(prompt) for prompt in prompts]
    completions = [
        task.generate(prompt, len(row) + 1 + 16, strip_prompt=True)
        for prompt, row in zip(prompts, ids, strict=True)
    ]
    save_parrot(
        version,
        prompts,
        {"completion": completions},
        "generate",
        max_new_tokens=tf.int32,
        temperature=tf.float32,
        top_k=tf.int32,
        top_p=tf.float32,
        seed=tf.int64,
    )
    found = compared(version, "causal_lm", prompts, "gpt2_tiny_en")
    assert found["status"] == "ok", found
    assert "completion" in found["text"]


@pytest.mark.slow
def test_translations_of_a_preset(version):
    task = TransformerSeq2SeqLM.from_preset("transformer_tiny_en_de")
    task.compile(sampler="greedy")
    sources = ["A man is sleeping.", "Two dogs run."]
    translations = task.generate(sources, 32, target_language="de")
    save_parrot(
        version,
        sources,
        {"translation": translations},
        "translate",
        max_length=tf.int32,
        target_language=tf.string,
    )
    found = compared(version, "seq2seq", sources, "transformer_tiny_en_de", ["de"] * 2)
    assert found["status"] == "ok", found
    assert "translation" in found["text"]


def compared(version, task, texts, preset, languages=None):
    """The outcome of the check of a preset, in its process."""
    inputs = {"text": texts} | ({"target_language": languages} if languages else {})
    case = {"signature": "serving_default", "inputs": inputs, "outputs": {}}
    write_expected(version, [case], task=task)
    arguments = ["preset", str(version), json.dumps({"preset": str(preset)})]
    finished = run_module("kftune.export.checks", arguments)
    return json.loads(finished.output.splitlines()[-1])


@pytest.mark.slow
def test_a_model_for_xla_is_run_with_xla(version):
    write_expected(save_compiled(version), [], xla=True)
    arguments = ["server_session", str(version), "{}"]
    finished = run_module("kftune.export.checks", arguments)
    assert json.loads(finished.output.splitlines()[-1])["status"] == "ok"
