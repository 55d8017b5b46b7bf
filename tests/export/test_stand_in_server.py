"""The client and a server in a process of its own, by both protocols."""

import http.client
import json
import re
import subprocess
import sys
import urllib.request

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from kftune.export import ServingClient, StandInServer
from kftune.export.checks.processes import environment

TEXTS = ["Grüße 17", "", "naïve 5", 'a\nb\t"c\\ 1', "漢字 8"]


@pytest.fixture(params=["grpc", "rest"])
def client(server, request):
    target = server.grpc_target if request.param == "grpc" else server.rest_url
    with ServingClient(
        target, "toy", protocol=request.param, timeout=60.0, max_batch_size=2
    ) as client:
        yield client


@pytest.fixture(scope="module")
def stub(server):
    with grpc.insecure_channel(server.grpc_target) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def post(server, body, path="/v1/models/toy:predict"):
    """Status and answer of a request that no client of ours would send."""
    connection = http.client.HTTPConnection(server.rest_url.removeprefix("http://"))
    connection.request("POST", path, body)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


@pytest.mark.long
def test_answers_come_in_the_order_of_the_texts(client):
    answer = client.predict(TEXTS)
    assert answer["label"].tolist() == [text.upper() for text in TEXTS]
    assert answer["label_names"].tolist() == [[t, f"<{t}>"] for t in TEXTS]
    numbers = [[len(t.encode()), int("0" + re.sub("[^0-9]", "", t))] for t in TEXTS]
    assert answer["probabilities"].tolist() == numbers
    assert {name: value.dtype for name, value in answer.items()} == {
        "label": object,
        "probabilities": np.float32,
        "label_names": object,
    }


def test_one_text_is_a_batch_of_one(client):
    answer = client.predict("Grüße 17")
    assert answer["probabilities"].tolist() == [[10.0, 17.0]]
    assert client.labels("naïve") == "NAÏVE"


def test_a_signature_with_one_output_has_its_name(client):
    answer = client.predict(["漢字", "a"], "embed")
    assert list(answer) == ["embedding"]
    assert answer["embedding"].tolist() == [[2.0, 1.0, -2.0], [1.0, 0.5, -1.0]]


def test_options_have_the_types_of_the_signature(client):
    options = {"max_new_tokens": 3, "temperature": 1, "seed": [2**40, -1, 0]}
    expected = [
        f"{text}|3|{1:f}|{seed}"
        for text, seed in zip("abc", options["seed"], strict=True)
    ]
    assert client.complete(list("abc"), **options) == expected
    assert client.translate("a", target_language="de") == "a|128|de"
    answers = client.translate(["a", "b"], target_language=["de", "cs"], max_length=9)
    assert answers == ["a|9|de", "b|9|cs"]


def test_bytes_that_are_no_utf_8_are_replaced(client):
    assert client.predict("aé", "cut")["completion"].tolist() == ["a\ufffd"]


def test_status_and_errors(client):
    assert client.status() == {10: "AVAILABLE"}
    with pytest.raises(LookupError, match="signatures: 'cut', 'embed'.*'nope'"):
        client.predict("a", "nope")
    with pytest.raises(LookupError, match="model that gives 'completion'"):
        client.complete("a")
    with pytest.raises(ValueError, match=r"values for \['max_new_tokens', 'seed'"):
        client.predict("a", "generate", temperature=0.5)


@pytest.mark.parametrize("changes", [{"model_name": "toys"}, {"version": 3}])
def test_another_model_or_version_is_not_found(server, changes):
    arguments = {"model_name": "toy", "version": None, **changes}
    for target, protocol in ((server.grpc_target, "grpc"), (server.rest_url, "rest")):
        with ServingClient(target, protocol=protocol, **arguments) as client:
            with pytest.raises(LookupError, match="Servable not found"):
                client.predict("a")
            with pytest.raises(LookupError, match="Servable not found"):
                client.status()


def test_the_version_can_be_named(server):
    with ServingClient(server.grpc_target, "toy", version=10) as client:
        assert client.labels(["a"]) == ["A"]


@pytest.mark.parametrize(
    ("inputs", "signature", "code", "message"),
    [
        ({"text": [1.0]}, "", "INVALID_ARGUMENT", "text is of type DT_FLOAT, not DT_S"),
        ({"text": [["a"]]}, "", "INVALID_ARGUMENT", r"text is of shape \(1, 1\), not"),
        ({}, "", "INVALID_ARGUMENT", "text is missing"),
        (
            {"texts": ["a"]},
            "embed",
            "INVALID_ARGUMENT",
            "text is missing; texts is unknown",
        ),
        (
            {"text": ["a"]},
            "nope",
            "FAILED_PRECONDITION",
            'Serving signature key "nope" not found',
        ),
    ],
)
def test_grpc_requests_that_do_not_fit(stub, inputs, signature, code, message):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "toy"
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    with pytest.raises(grpc.RpcError, match=message) as raised:
        stub.Predict(request, timeout=60)
    assert raised.value.code().name == code


def test_a_grpc_request_without_a_tensor(stub):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "toy"
    request.inputs["text"].dtype = 99
    with pytest.raises(grpc.RpcError, match="text is no tensor") as raised:
        stub.Predict(request, timeout=60)
    assert raised.value.code().name == "INVALID_ARGUMENT"
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "toy"
    with pytest.raises(grpc.RpcError, match="metadata field signature_def"):
        stub.GetModelMetadata(request, timeout=60)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "JSON Parse error"),
        ("\udc80".encode("utf-8", "surrogatepass"), "JSON Parse error"),
        ("[1]", "Expected a JSON object with 'inputs'"),
        ('{"instances": ["a"]}', "takes no 'instances'"),
        ('{"inputs": {"text": [3]}}', "JSON value of text: expected strings"),
        ('{"inputs": {"text": ["a", ["b"]]}}', "JSON value of text: expected strings"),
        ('{"inputs": {"texts": ["a"]}}', "text is missing"),
        ('{"inputs": {"text": "a"}}', r"text is of shape \(\)"),
        ('{"inputs": {"text": ["a"]}, "signature_name": 1}', "Expected a string"),
        ('{"inputs": ["a"], "signature_name": "no"}', "Serving signature key"),
    ],
)
def test_rest_requests_that_do_not_fit(server, body, message):
    status, answer = post(server, body)
    assert status == 400
    assert re.search(message, answer["error"])


def test_rest_paths_are_those_of_tensorflow_serving(server):
    assert post(server, "{}", "/v1/models/toys:predict")[0] == 404
    assert post(server, "{}", "/v1/models/toy/versions/9:predict")[0] == 404
    assert post(server, "{}", "/v1/models/toy:explain")[0] == 400
    body = json.dumps({"inputs": ["a"], "signature_name": "embed"})
    answer = {"outputs": [[1.0, 0.5, -1.0]]}
    assert post(server, body, "/v1/models/toy/versions/10:predict") == (200, answer)
    with urllib.request.urlopen(f"{server.rest_url}/v1/models/toy") as response:
        status = json.load(response)
    # What TensorFlow Serving's documentation shows.
    assert status == {
        "model_version_status": [
            {
                "version": "10",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    with urllib.request.urlopen(f"{server.rest_url}/v1/models/toy/metadata") as answer:
        metadata = json.load(answer)
    assert metadata["model_spec"]["version"] == "10"
    signatures = metadata["metadata"]["signature_def"]["signature_def"]
    embedding = signatures["embed"]["outputs"]["embedding"]
    assert embedding["dtype"] == "DT_FLOAT"
    assert [int(one["size"]) for one in embedding["tensor_shape"]["dim"]] == [-1, 3]


def test_a_folder_without_versions_is_refused(tmp_path):
    with (
        pytest.raises(FileNotFoundError, match="no saved_model.pb"),
        StandInServer(tmp_path),
    ):
        pass


def test_a_client_does_not_import_tensorflow_before_it_must(server):
    code = (
        "import sys; from kftune.export import ServingClient\n"
        "client = ServingClient(sys.argv[1], 'toy', protocol='rest')\n"
        "assert client.labels(['a']) == ['A']\n"
        "print(sorted({'tensorflow', 'keras', 'grpc'} & set(sys.modules)))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, server.rest_url],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert printed.stdout == "[]\n"
