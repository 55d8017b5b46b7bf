"""Folders for transformers, compared before they appear."""

import importlib.util

import numpy as np
import pytest
import torch
import transformers
from small_tasks import make_classifier, make_language_model, make_translator

from kftune.export import export_hugging_face, hugging_face_model

pytestmark = [
    pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses"),
    pytest.mark.backend,
]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "hf"


@pytest.fixture
def language_model(tmp_path):
    return make_language_model(tmp_path)


def test_a_language_model(language_model, folder):
    done = export_hugging_face(language_model, folder)
    assert done.folder == folder
    assert "tokens by transformers within 0.0001" in done.parity
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = torch.tensor([tokenizer("the old house")["input_ids"]])
    inputs = {"token_ids": ids.numpy(), "padding_mask": np.ones(ids.shape)}
    with torch.no_grad():
        expected = model(ids).logits.numpy()
    found = language_model.predict(inputs, verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_an_encoder_decoder(tmp_path, folder):
    done = export_hugging_face(make_translator(tmp_path / "task"), folder)
    assert "tokens by transformers within 0.0001" in done.parity
    assert (folder / "source.spm").exists()


def test_other_logits_are_an_error_and_leave_nothing(
    language_model, folder, monkeypatch
):
    theirs = hugging_face_model._their_logits

    def worse(*arguments):
        logits = theirs(*arguments)
        logits[0, 0, 0] += 0.1
        return logits

    monkeypatch.setattr(hugging_face_model, "_their_logits", worse)
    with pytest.raises(ValueError, match="Received: numbers that are up to"):
        export_hugging_face(language_model, folder)
    assert not folder.exists()


def test_without_transformers_nothing_is_compared(language_model, folder, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "transformers" else find(name, *more),
    )
    done = export_hugging_face(language_model, folder)
    assert done.parity == "not compared, without transformers"
    assert (folder / "model.safetensors").exists()


def test_a_classifier_and_a_full_folder_are_refused(tmp_path, folder, language_model):
    with pytest.raises(TypeError, match="GPT2CausalLM or TransformerSeq2SeqLM"):
        export_hugging_face(make_classifier(tmp_path / "classifier"), folder)
    folder.mkdir()
    (folder / "config.json").touch()
    with pytest.raises(FileExistsError, match="Received:"):
        export_hugging_face(language_model, folder)


def test_a_task_without_a_preprocessor_is_refused(language_model, folder):
    language_model.preprocessor = None
    with pytest.raises(ValueError, match="Received: GPT2CausalLM without one"):
        export_hugging_face(language_model, folder)
