"""Exports by a process of their own, asked from whichever backend runs the tests."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_tasks import make_classifier, make_translator, sentences

import kftune
from kftune.export.tensorflow_process import export_in_tensorflow

pytestmark = pytest.mark.backend
OPTIONS = {"target_language": None, "xla": False, "warmup": False}


def ask(folder, texts):
    loaded = tf.saved_model.load(str(folder))
    return loaded.signatures["serving_default"](text=tf.constant(texts))


@pytest.mark.long
def test_a_classifier_of_any_backend(tmp_path):
    task = make_classifier(tmp_path / "bpe")
    folder = export_in_tensorflow(task, tmp_path / "toy", 4, OPTIONS)
    assert folder == tmp_path / "toy" / "4"
    texts = sentences(20)
    expected = keras.ops.softmax(task.predict(texts, verbose=0))
    received = ask(folder, texts)["probabilities"]
    expected = keras.ops.convert_to_numpy(expected)
    np.testing.assert_allclose(received, expected, atol=1e-5)


@pytest.mark.slow
def test_a_translator_with_its_sampler(tmp_path):
    task = make_translator(tmp_path / "preset")
    search = kftune.decoding.BeamSearch(2, length_penalty=0.3)
    task.compile(sampler=search)
    options = {**OPTIONS, "target_language": "en"}
    folder = export_in_tensorflow(task, tmp_path / "toy", None, options)
    texts = sentences(20)
    expected = task.generate(texts, target_language="en")
    received = ask(folder, texts)["translation"].numpy()
    assert [text.decode() for text in received] == expected


@pytest.mark.slow
def test_its_error_is_shown(tmp_path):
    task = make_classifier(tmp_path / "bpe")
    options = {**OPTIONS, "target_language": "de"}
    with pytest.raises(RuntimeError, match="encoder-decoder only"):
        export_in_tensorflow(task, tmp_path / "toy", None, options)
    assert not (tmp_path / "toy").exists()
