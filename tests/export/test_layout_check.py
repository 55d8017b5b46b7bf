"""What the check of names, files and signatures finds."""

import re

import pytest
import tensorflow as tf
from small_saved_models import TEXT, save_function

from kftune.export.checks.layout import check

MODELS_CONFIG = """model_config_list {
  config { name: "reviews" base_path: "/models/reviews" model_platform: "tensorflow" }
}
"""
BATCHING = """max_batch_size { value: 8 }
batch_timeout_micros { value: 2000 }
num_batch_threads { value: 2 }
allowed_batch_sizes: 1
allowed_batch_sizes: 8
"""


def test_a_good_one_passes(scorer):
    (scorer.parent / "models.config").write_text(MODELS_CONFIG)
    (scorer.parent / "batching_params.txt").write_text(BATCHING)
    outcome = check(scorer)
    assert outcome.status == "ok"
    assert outcome.text == "version 1, signatures serving_default"


@pytest.mark.parametrize("name", ["latest", "01", "0", "1.5"])
def test_the_server_passes_over_other_names_than_positive_integers(scorer, name):
    outcome = check(scorer.rename(scorer.with_name(name)))
    assert outcome.status == "FAILED"
    assert "positive integer without leading zeros" in outcome.text
    assert f"Received: {name}." in outcome.text


def test_a_missing_folder_is_named(scorer):
    (scorer / "assets").rmdir()
    assert "assets" in check(scorer).text


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("models.config", "model_config_list {", "text proto"),
        ("models.config", "", "no models"),
        ("models.config", MODELS_CONFIG.replace("/models", "models"), "absolute"),
        ("batching_params.txt", "max_batchsize { value: 8 }", "max_batchsize"),
        ("batching_params.txt", BATCHING.replace("value: 8", "value: 9"), r"\[1, 8\]"),
    ],
)
def test_files_that_the_server_cannot_read(scorer, name, text, problem):
    (scorer.parent / name).write_text(text)
    outcome = check(scorer)
    assert outcome.status == "FAILED"
    assert name in outcome.text
    assert re.search(problem, outcome.text)


@pytest.mark.parametrize(
    ("spec", "outputs", "problem"),
    [
        (TEXT, lambda x: {"image_bytes": x}, "image_bytes of serving_default"),
        (
            tf.TensorSpec([4], tf.string, name="text"),
            lambda x: {"label": x},
            r"text of serving_default in the shape \(None,\).*Received: \(4,\)",
        ),
        (TEXT, lambda x: {"label": x[:4] + tf.fill([4], "!")}, r"the shape \(4,\)"),
        (TEXT, lambda x: {"label": tf.strings.reduce_join(x)}, r"the shape \(\)"),
        (
            tf.TensorSpec([None], tf.string, name="review"),
            lambda x: {"label": x},
            "take text alone. Received: the inputs 'review'",
        ),
        (
            tf.TensorSpec([None], tf.int32, name="text"),
            lambda x: {"label": x},
            "text of serving_default as string. Received: int32",
        ),
    ],
)
def test_signatures_that_clients_cannot_use(version, spec, outputs, problem):
    save_function(version, outputs, [spec])
    outcome = check(version)
    assert outcome.status == "FAILED"
    assert re.search(problem, outcome.text)


def test_a_default_signature_is_needed(version):
    module = tf.Module()
    module.answer = tf.function(lambda x: {"label": x}, input_signature=[TEXT])
    tf.saved_model.save(module, str(version), {"classify": module.answer})
    assert "a signature serving_default" in check(version).text
