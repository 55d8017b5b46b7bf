"""The session that stands for a server, in a process of its own."""

import json
import subprocess
import sys

import pytest
from small_saved_models import SLOPE, save_options, save_scorer

PROGRAM = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from kftune.export.server_session import ServerSession

found = {"light": not {"tensorflow", "keras"} & set(sys.modules)}
session = ServerSession(sys.argv[1])
spec = session.signatures["serving_default"]
options = ServerSession(sys.argv[2]).signatures["serving_default"]

def fresh(texts):
    outputs = session.run("serving_default", {"text": texts})
    return outputs["probabilities"][:, 1].tolist()

def error(signature, inputs):
    try:
        session.run(signature, inputs)
    except ValueError as error:
        return str(error)

with ThreadPoolExecutor(8) as threads:
    found["threads"] = list(threads.map(fresh, [["x" * n] * n for n in range(1, 40)]))
found["fresh"] = fresh(["a", "é", b"\\xff\\0\\0"])
found["empty"] = fresh([])
found["inputs"] = {n: [s.dtype, s.shape] for n, s in options.inputs.items()}
found["outputs"] = {n: [s.dtype, s.shape] for n, s in spec.outputs.items()}
found["unknown"] = error("embed", {"text": ["a"]})
found["misnamed"] = error("serving_default", {"texts": ["a"]})
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the program found."""
    folder = tmp_path_factory.mktemp("saved")
    folders = save_scorer(folder / "scorer"), save_options(folder / "options")
    command = [sys.executable, "-c", PROGRAM, *map(str, folders)]
    done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    return json.loads(done.stdout.splitlines()[-1])


def sigmoid(length):
    return pytest.approx(1 / (1 + 2.718281828459045 ** (-SLOPE * length)), rel=1e-5)


def test_the_import_is_light(found):
    assert found["light"]


def test_strings_are_sent_whole(found):
    assert found["fresh"] == [sigmoid(1), sigmoid(2), sigmoid(3)]
    assert found["empty"] == []


def test_threads_get_their_own_answers(found):
    assert found["threads"] == [[sigmoid(n)] * n for n in range(1, 40)]


def test_signatures_are_told(found):
    assert found["inputs"] == {
        "max_length": ["int32", [None]],
        "target_language": ["string", [None]],
        "text": ["string", [None]],
    }
    assert found["outputs"] == {
        "label": ["string", [None]],
        "label_names": ["string", [None, 2]],
        "probabilities": ["float32", [None, 2]],
    }


def test_wrong_calls_are_errors(found):
    assert found["unknown"].endswith("'serving_default'. Received: 'embed'")
    assert "the inputs ['text']. Received: ['texts']" in found["misnamed"]


def test_a_folder_without_a_model_is_an_error(tmp_path):
    from kftune.export.server_session import ServerSession

    with pytest.raises(FileNotFoundError, match="without saved_model.pb"):
        ServerSession(tmp_path)
