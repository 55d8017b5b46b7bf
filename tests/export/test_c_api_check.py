"""Loading without TensorFlow for Python, which needs a process of its own."""

import json

from kftune.export.checks.processes import run_module
from kftune.export.checks.version_files import read_meta_graph


def outcome(version):
    finished = run_module("kftune.export.checks", ["c_api", str(version), "{}"])
    return json.loads(finished.output.splitlines()[-1])


def test_a_good_one_loads_without_tensorflow_for_python(scorer):
    found = outcome(scorer)
    assert found["status"] == "ok"
    count = len(read_meta_graph(scorer).graph_def.node)
    assert found["text"].startswith(f"{count} operations loaded by the C API")
    assert found["text"].endswith("without TensorFlow for Python")


def test_an_op_that_nobody_has(scorer):
    path = scorer / "saved_model.pb"
    path.write_bytes(path.read_bytes().replace(b"StringLength", b"StringBreite"))
    found = outcome(scorer)
    assert found["status"] == "FAILED"
    assert "StringBreite" in found["text"] and "The server loads" in found["text"]


def test_weights_that_are_cut_off(scorer):
    (path,) = (scorer / "variables").glob("variables.data*")
    path.write_bytes(path.read_bytes()[:1])
    assert outcome(scorer)["status"] == "FAILED"
