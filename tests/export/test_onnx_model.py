"""What ONNX Runtime gets, against the live classifiers."""

import json
import sys

import keras
import numpy as np
import pytest
import tokenizers
from small_tasks import make_bert_classifier, make_classifier, make_language_model

from kftune.export import export_onnx, onnx_model

onnxruntime = pytest.importorskip(
    "onnxruntime", reason="hand-offs to ONNX need the extra onnx"
)
pytest.importorskip("tf2onnx", reason="hand-offs to ONNX need the extra onnx")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="Keras writes ONNX by TensorFlow"
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "onnx"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A classifier, the folder of its export, and what was compared."""
    task = make_classifier(tmp_path_factory.mktemp("classifier"))
    done = export_onnx(task, tmp_path_factory.mktemp("exported") / "onnx")
    return task, done.folder, done.parity


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def test_probabilities_as_a_user_gets_them(exported):
    """By the tokenizers library, the facts and the session, without kftune."""
    task, folder, parity = exported
    assert parity.startswith("answers to 8 texts by ONNX Runtime within 0.0001")
    facts = json.loads((folder / "model.json").read_text("utf-8"))
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    for text in ("the old house", "a"):
        ids = facts["tokens_before"] + tokenizer.encode(text).ids
        ids = np.array([ids + facts["tokens_after"]], "int32")
        inputs = {"token_ids": ids, "padding_mask": np.ones_like(ids)}
        (found,) = session.run(["probabilities"], inputs)
        expected = softmax(task.predict([text], verbose=0))
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert facts["outputs"] == {"probabilities": ["bad", "fair", "good"]}
    assert facts["tokens_at_most"] == 24


@pytest.mark.long
def test_every_kind_of_head(folder):
    task = make_bert_classifier()
    export_onnx(task, folder)
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    features = task.preprocessor(["a good film", "good"])
    inputs = {name: np.asarray(x, "int32") for name, x in features.items()}
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(names, inputs), strict=True))
    logits = task.predict(["a good film", "good"], verbose=0)
    expected = {
        "probabilities_mood": softmax(logits["mood"]),
        "probabilities_tags": 1 / (1 + np.exp(-logits["tags"])),
        "values_stars": logits["stars"],
    }
    assert sorted(found) == sorted(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5)
    outputs = json.loads((folder / "model.json").read_text("utf-8"))["outputs"]
    assert outputs["probabilities_tags"] == ["x", "y", "z"]
    assert outputs["values_stars"] == 2


def test_other_numbers_are_an_error(exported):
    task, folder, _ = exported
    kernel = task.head.weights[0]
    before = kernel.numpy()
    kernel.assign(1.01 * before)
    with pytest.raises(ValueError, match="within 0.0001. Received: numbers that are"):
        onnx_model._compare(task, folder)
    kernel.assign(before)


def test_other_precision_is_refused(tmp_path, folder):
    task = make_classifier(tmp_path)
    task.backbone.quantize("int8")
    with pytest.raises(ValueError, match='int8.*dtype="float32"'):
        export_onnx(task, folder)


def test_other_tasks_and_missing_packages(tmp_path, folder, monkeypatch):
    with pytest.raises(TypeError, match="TextClassifier. Received: GPT2CausalLM"):
        export_onnx(make_language_model(tmp_path / "lm"), folder)
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'kftune\[onnx\]'"):
        export_onnx(make_classifier(tmp_path / "classifier"), folder)
    assert not folder.exists()
