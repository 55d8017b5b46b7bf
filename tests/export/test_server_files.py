"""What an export writes beside the graph: warm-up requests, settings, pages."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_tasks import make_bert_classifier, make_classifier, make_language_model

from kftune.export import export_saved_model
from kftune.export.server_files import task_facts, write_server_files

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="exports are traced by TensorFlow"
)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return make_classifier(tmp_path_factory.mktemp("bpe"))


@pytest.fixture(scope="module")
def base_path(classifier, tmp_path_factory):
    folder = tmp_path_factory.mktemp("serving") / "reviews"
    export_saved_model(classifier, folder)
    return folder


def read_warmup(version, name):
    """Signature, batch size and words of each request."""
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    found = []
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        request = logs.PredictionLog.FromString(record).predict_log.request
        assert request.model_spec.name == name
        texts = tf.make_ndarray(request.inputs["text"])
        words = texts[0].decode().split()
        found.append((request.model_spec.signature_name, len(texts), len(words)))
    return sorted(found)


def test_warmup_requests_have_every_size_and_signature(base_path):
    assert read_warmup(base_path / "1", "reviews") == sorted(
        [("serving_default", size, n) for size in (1, 8, 32) for n in (4, 32)]
        + [("embed", 1, 4)]
    )


@pytest.mark.long
def test_only_short_completions_warm_up_every_size(tmp_path):
    written = export_saved_model(make_language_model(tmp_path), tmp_path / "writer")
    assert read_warmup(written, "writer") == sorted(
        [("generate", size, n) for size in (1, 8, 32) for n in (4, 32)]
        + [(name, 1, 4) for name in ("serving_default", "score")]
    )


@pytest.mark.long
def test_without_the_protos_there_is_a_warning(classifier, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorflow_serving.apis", None)
    with pytest.warns(UserWarning, match=r"pip install kftune\[serving\]"):
        written = export_saved_model(classifier, tmp_path / "reviews")
    assert (written / "saved_model.pb").exists()
    assert not (written / "assets.extra" / "tf_serving_warmup_requests").exists()


@pytest.mark.long
def test_settings_that_were_edited_stay(classifier, base_path):
    (base_path / "models.config").write_text("# mine\n")
    written = export_saved_model(classifier, base_path, warmup=False)
    assert written.name == "2"
    assert (base_path / "models.config").read_text() == "# mine\n"
    batching = (base_path / "batching_params.txt").read_text()
    sizes = [line.split()[1] for line in batching.splitlines() if "allowed" in line]
    assert sizes == ["1", "2", "4", "8", "16", "32"]
    assert "with version 2" in (base_path / "MODEL_CARD.md").read_text()


def test_pages_name_the_model_and_its_signatures(base_path):
    page = (base_path / "SERVING.md").read_text()
    assert '-v "$PWD/reviews:/models/reviews:ro" -e MODEL_NAME=reviews' in page
    assert "xla" not in page
    row = "| `embed` | `text`: string (B) | `embedding`: float32 (B, 16) |"
    assert row in page
    card = (base_path / "MODEL_CARD.md").read_text()
    assert row in card
    assert "| labels | bad, fair, good |" in card


def test_facts_of_several_heads():
    facts = task_facts(make_bert_classifier())
    assert facts["labels"] == "0, 1; x, y, z; 0, 1"
    assert facts["tokens at most"] == "sequence_length 16"


def test_a_label_does_not_break_the_table_of_a_card(tmp_path):
    facts = {"labels": "good | fair, very\nbad"}
    write_server_files(tmp_path, version=1, functions={}, facts=facts, xla=False)
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert r"| labels | good \| fair, very bad |" in card


def test_answers_tell_how_they_were_made(base_path):
    path = base_path / "1" / "assets.extra" / "expected.json"
    answers = json.loads(path.read_text("utf-8"))
    assert answers["task"] == "classifier"
    assert answers["xla"] is False
    assert answers["sampler"] is None
    case, vectors = answers["cases"]
    assert case["inputs"]["text"] == answers["texts"]
    assert len(case["outputs"]["label"]) == len(answers["texts"])
    assert vectors["signature"] == "embed"
    assert np.shape(vectors["outputs"]["embedding"]) == (len(answers["texts"]), 16)
