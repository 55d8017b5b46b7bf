"""What the checks find that open a session; all of them in one process.

XLA is disabled for good where such a session was, so it must not be this process.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
import small_saved_models as small
import tensorflow as tf

RUN = """
import importlib, json, sys
from pathlib import Path
outcomes = {}
for name, (check, folder) in json.loads(sys.argv[1]).items():
    module = importlib.import_module(f"kftune.export.checks.{check}")
    found = module.check(Path(folder), {"calls": 3})
    outcomes[name] = [found.status, found.text]
print(json.dumps(outcomes))
"""
REQUEST = {"text": ["A treat."]}


def scorer_with(folder, write, *arguments):
    small.save_scorer(folder)
    write(folder, *arguments)
    return folder


def changed_answers(output, value):
    """The scorer's cases with another output."""
    answers = small.expected_answers()
    answers["outputs"][output] = value
    return [{"signature": "serving_default", **answers}]


def write_in_half(folder, step):
    """Expects probabilities that are a step apart, of a task in bfloat16."""
    probabilities = np.array(small.expected_answers()["outputs"]["probabilities"])
    cases = changed_answers("probabilities", (probabilities + step).tolist())
    small.write_expected(folder, cases, compute_dtype="bfloat16")


def broken_warm_up(folder):
    small.write_warm_up(folder, REQUEST)
    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    path.write_bytes(path.read_bytes()[:-7])


def other_warm_up(folder):
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    log = PredictionLog()
    log.regress_log.SetInParent()
    small.write_warm_up(folder)
    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(log.SerializeToString())


def with_target_language(folder, *languages):
    small.save_options(folder)
    inputs = {"text": ["a"], "max_length": [1], "target_language": ["de"]}
    case = {"signature": "serving_default", "inputs": inputs, "outputs": {}}
    small.write_expected(folder, [case] if languages else [])


CASES = {
    "good session": ("server_session", small.save_scorer),
    "untracked": ("server_session", small.save_untracked),
    "slice_update": ("server_session", small.save_slice_update),
    "compiled": ("server_session", small.save_compiled),
    "raw_bytes": ("server_session", small.save_raw_bytes),
    "one_row": ("server_session", small.save_one_row),
    "no_number": ("server_session", small.save_no_number),
    "options": ("server_session", lambda f: with_target_language(f, "de")),
    "no language": ("server_session", with_target_language),
    "good warm-up": (
        "warmup",
        lambda f: scorer_with(f, small.write_warm_up, REQUEST, REQUEST),
    ),
    "no warm-up": ("warmup", small.save_scorer),
    "wrong warm-up": (
        "warmup",
        lambda f: scorer_with(f, small.write_warm_up, REQUEST, {"review": ["x"]}),
    ),
    "broken warm-up": ("warmup", lambda f: scorer_with(f, broken_warm_up)),
    "other warm-up": ("warmup", lambda f: scorer_with(f, other_warm_up)),
    "empty warm-up": ("warmup", lambda f: scorer_with(f, small.write_warm_up)),
    "long warm-up": (
        "warmup",
        lambda f: scorer_with(f, small.write_warm_up, *[REQUEST] * 1001),
    ),
    "good answers": ("expected", small.save_scorer),
    "no answers": ("expected", lambda f: scorer_with(f, small.write_expected, [])),
    "wrong label": (
        "expected",
        lambda f: scorer_with(
            f, small.write_expected, changed_answers("label", ["fresh"] * 3)
        ),
    ),
    "half precision": (
        "expected",
        lambda f: scorer_with(f, write_in_half, 0.005),
    ),
    "wrong in half precision": (
        "expected",
        lambda f: scorer_with(f, write_in_half, 0.02),
    ),
    "wrong number": (
        "expected",
        lambda f: scorer_with(
            f, small.write_expected, changed_answers("probabilities", [[0.5, 0.5]] * 3)
        ),
    ),
    "missing output": (
        "expected",
        lambda f: scorer_with(f, small.write_expected, changed_answers("score", [1])),
    ),
    "cost": ("cost", small.save_scorer),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Dict of case to status and text."""
    folder = tmp_path_factory.mktemp("saved")
    plan = {}
    for name, (check, save) in CASES.items():
        version = folder / name / "1"
        save(version)
        plan[name] = (check, str(version))
    command = [sys.executable, "-c", RUN, json.dumps(plan)]
    done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("case", "status", "parts"),
    [
        ("good session", "ok", ["serving_default with batches of (1, 3, 32)"]),
        ("untracked", "FAILED", ["Could not find variable", "ExportArchive().track"]),
        ("slice_update", "FAILED", ["XLA compilation disabled"]),
        ("compiled", "FAILED", ["XLA compilation disabled", "jit_compile"]),
        ("raw_bytes", "FAILED", ["expected UTF-8 in completion", "unicode_transcode"]),
        ("one_row", "FAILED", ["with 3 texts: expected 3 rows of score", "(1,)"]),
        (
            "no_number",
            "FAILED",
            ["with 1 texts: expected finite numbers in score", "NaN"],
        ),
        ("options", "ok", ["serving_default"]),
        ("no language", "FAILED", ["Received: 'target_language'", "Export again"]),
        ("good warm-up", "ok", ["requests replayed: 2"]),
        ("no warm-up", "note", ["the first requests will be slow"]),
        ("wrong warm-up", "FAILED", ["record 2:", "the inputs ['text']", "review"]),
        ("broken warm-up", "FAILED", ["after record 0: DataLossError"]),
        (
            "other warm-up",
            "FAILED",
            ["record 1: expected a predict_log", "regress_log"],
        ),
        ("empty warm-up", "FAILED", ["expected 1 to 1000 records. Received: 0"]),
        ("long warm-up", "FAILED", ["expected 1 to 1000 records. Received: 1001"]),
        ("good answers", "ok", ["(cases: 1)", "within 0.0001"]),
        ("no answers", "note", ["no answers were compared"]),
        ("wrong label", "FAILED", ["case 1: label", "'rotten' in place of 'fresh'"]),
        ("half precision", "ok", ["within 0.01"]),
        ("wrong in half precision", "FAILED", ["case 1: prob", "within 0.01"]),
        ("wrong number", "FAILED", ["case 1: probabilities", "within 0.0001"]),
        ("missing output", "FAILED", ["expected outputs ['score']"]),
        ("cost", "ok", ["batch 1: p50", "batch 8: p50", "of 3 calls", "MiB on disk"]),
    ],
)
def test_outcome(outcomes, case, status, parts):
    found_status, text = outcomes[case]
    assert found_status == status, text
    assert all(part in text for part in parts), text
