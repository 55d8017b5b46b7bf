"""The gRPC client and servers that fail: fakes in this process."""

import sys
import threading
import time
from concurrent import futures

import grpc
import pytest
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from kftune.export import ServingClient


class Failing(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Fails with the codes in `failures`, one a call, then answers with the texts."""

    def __init__(self):
        self.failures = []
        self.calls = []
        self.metadata_calls = 0
        self.outputs = {"label": 7}
        self.stay = threading.Event()

    def GetModelMetadata(self, request, context):  # noqa: N802
        self.metadata_calls += 1
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        signatures = get_model_metadata_pb2.SignatureDefMap()
        signature = signatures.signature_def["serving_default"]
        signature.inputs["text"].dtype = 7
        for name, dtype in self.outputs.items():
            signature.outputs[name].dtype = dtype
        response.metadata["signature_def"].Pack(signatures)
        return response

    def Predict(self, request, context):  # noqa: N802
        texts = list(request.inputs["text"].string_val)
        self.calls.append(texts)
        if self.failures:
            failure = self.failures.pop(0)
            if failure == "stay":
                self.stay.wait(30)
            else:
                context.abort(getattr(grpc.StatusCode, failure), f"said {failure}")
        response = predict_pb2.PredictResponse()
        response.outputs["label"].CopyFrom(request.inputs["text"])
        return response


@pytest.fixture
def servicer():
    return Failing()


def start(servicer, port=0):
    """A server that runs, and its port."""
    server = grpc.server(futures.ThreadPoolExecutor(2))
    add = prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server
    add(servicer, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port


@pytest.fixture
def client(servicer):
    server, port = start(servicer)
    with ServingClient(f"127.0.0.1:{port}", "m", retries=2, max_batch_size=2) as client:
        client.pauses = []
        client.retry.sleep = client.pauses.append
        yield client
    servicer.stay.set()
    server.stop(None).wait()


def test_long_lists_are_split_and_joined_in_order(client, servicer):
    texts = ["a", "b", "c", "d", "e"]
    assert client.labels(texts) == texts
    assert servicer.calls == [[b"a", b"b"], [b"c", b"d"], [b"e"]]
    assert client.labels(("x",)) == ["x"]
    assert servicer.metadata_calls == 1


def test_a_server_that_is_down_or_full_is_asked_again(client, servicer):
    servicer.failures = ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]
    assert client.labels("a") == "a"
    assert servicer.calls == [[b"a"]] * 3
    assert len(client.pauses) == 2
    servicer.failures = ["UNAVAILABLE"] * 3
    with pytest.raises(ConnectionError, match="in 3 tries, .*said UNAVAILABLE"):
        client.labels("a")
    assert len(servicer.calls) == 6


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INVALID_ARGUMENT", ValueError),
        ("NOT_FOUND", LookupError),
        ("DEADLINE_EXCEEDED", TimeoutError),
        ("INTERNAL", RuntimeError),
    ],
)
def test_other_failures_are_told_at_once(client, servicer, code, kind):
    servicer.failures = [code]
    with pytest.raises(kind, match=f"answered {code}: said {code}"):
        client.labels("a")
    assert len(servicer.calls) == 1
    assert client.pauses == []


def test_a_server_that_does_not_answer_in_time(client, servicer):
    assert client.labels("a") == "a"
    servicer.failures = ["stay"]
    client.retry.timeout = 0.2
    with pytest.raises(TimeoutError, match="DEADLINE_EXCEEDED"):
        client.labels("a")


def test_another_version_of_the_model_is_noticed(client, servicer):
    assert list(client.predict("a")) == ["label"]
    servicer.failures = ["INVALID_ARGUMENT"]
    with pytest.raises(ValueError):
        client.predict("a")
    servicer.outputs = {"label": 7, "score": 1}
    with pytest.raises(RuntimeError, match=r"1 rows. Received: shapes {'score': None}"):
        client.predict("a")
    servicer.outputs = {"label": 7}
    assert list(client.predict("a")) == ["label"]


def test_a_server_that_starts_again_is_found_within_the_pauses(servicer):
    """They are 0.7 s at most; gRPC itself would wait for a second."""
    server, port = start(servicer)
    again = []

    def sleep(seconds):
        if not again:
            again.append(start(servicer, port)[0])
        time.sleep(seconds)

    with ServingClient(f"127.0.0.1:{port}", "m", retries=3) as client:
        assert client.labels("a") == "a"
        server.stop(None).wait()
        client.retry.sleep = sleep
        assert client.labels("b") == "b"
    again[0].stop(None).wait()


def test_nothing_listens():
    with ServingClient("127.0.0.1:1", "m", retries=1) as client:
        client.retry.sleep = lambda _: None
        with pytest.raises(ConnectionError, match="in 2 tries, .*UNAVAILABLE"):
            client.status()


def test_texts_and_arguments_that_are_no_good(client):
    with pytest.raises(ValueError, match="Expected a text, or a list.*no text"):
        client.predict([])
    with pytest.raises(ValueError, match="text: expected strings.*Received: 3"):
        client.predict(["a", 3])
    wrong = {"protocol": "http", "timeout": 0, "retries": -1, "max_batch_size": 0}
    with pytest.raises(ValueError) as raised:
        ServingClient("localhost:1", "m", **wrong)
    for name, value in wrong.items():
        assert f"{name}: expected" in str(raised.value)
        assert f"Received: {value!r}" in str(raised.value)


def test_without_the_package_the_extra_is_named(monkeypatch):
    for name in ("kftune.export.client_grpc", "kftune.export.serving_protos"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'kftune\[serving\]'"):
        ServingClient("localhost:1", "m")
