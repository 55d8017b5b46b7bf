"""Many requests of many kinds at once: none lost, none crossed, memory flat."""

import collections
import http.client
import json
import random
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from kftune.export import ServingClient

REQUESTS = 2000
WARM = 500
THREADS = 8
KINDS = {"grpc": 30, "rest": 30, "cancelled": 15, "bad": 15, "refused": 10}


class Requests:
    """Sends numbered requests and checks each answer; counts what happened."""

    def __init__(self, server, channel):
        self.rest_host = server.rest_url.removeprefix("http://")
        self.clients = {
            "grpc": ServingClient(server.grpc_target, "toy", max_batch_size=8),
            "rest": ServingClient(
                server.rest_url, "toy", protocol="rest", max_batch_size=8
            ),
        }
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        self.counts = collections.Counter()
        self.counting = threading.Lock()

    def send(self, number):
        """Sends the request of a number; its texts are found nowhere else."""
        rng = random.Random(number)
        (kind,) = rng.choices(list(KINDS), KINDS.values())
        size = rng.choice([1, 2, 3, 8, 20])
        filler = "x" * rng.randint(0, 300)
        texts = [f"é{number:05}{row:02}{filler}" for row in range(size)]
        if kind in self.clients:
            self.check(self.clients[kind], texts)
            outcome = kind
        else:
            outcome = f"{kind} {getattr(self, kind)(rng, texts)}"
        with self.counting:
            self.counts[outcome] += 1

    @staticmethod
    def check(client, texts):
        answer = client.predict(texts)
        assert answer["label"].tolist() == [text.upper() for text in texts]
        assert answer["label_names"].tolist() == [[t, f"<{t}>"] for t in texts]
        numbers = [[len(t.encode()), int(re.sub("[^0-9]", "", t))] for t in texts]
        assert answer["probabilities"].tolist() == numbers

    def cancelled(self, rng, texts):
        """A call that is cancelled at once, a moment later, or too late."""
        call = self.stub.Predict.future(request(texts, "slow"), timeout=60)
        threading.Event().wait(rng.choice([0, 0.002, 0.02]))
        if call.cancel():
            with pytest.raises(grpc.FutureCancelledError):
                call.result()
            return "in time"
        labels = call.result().outputs["label"].string_val
        assert [label.decode() for label in labels] == [f"{text}0" for text in texts]
        return "too late"

    def bad(self, rng, texts):
        """A gRPC request of a wrong type, without input, or to no signature."""
        wrong, code = rng.choice(
            [
                (request([1.0]), "INVALID_ARGUMENT"),
                (request(None), "INVALID_ARGUMENT"),
                (request(texts, "nope"), "FAILED_PRECONDITION"),
            ]
        )
        with pytest.raises(grpc.RpcError) as raised:
            self.stub.Predict(wrong, timeout=60)
        assert raised.value.code().name == code
        return code

    def refused(self, rng, texts):
        """A REST request that is no JSON, of a wrong type, or without input."""
        body = rng.choice(['{"inputs', '{"inputs": {"text": [1]}}', '{"inputs": {}}'])
        connection = http.client.HTTPConnection(self.rest_host, timeout=60)
        connection.request("POST", "/v1/models/toy:predict", body)
        response = connection.getresponse()
        assert response.status == 400
        assert json.loads(response.read())["error"]
        connection.close()
        return response.status


def request(texts, signature=""):
    message = predict_pb2.PredictRequest()
    message.model_spec.name = "toy"
    message.model_spec.signature_name = signature
    if texts is not None:
        message.inputs["text"].CopyFrom(tf.make_tensor_proto(texts))
    return message


def resident_mib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024


@pytest.mark.long
def test_no_answer_is_lost_or_crossed_and_memory_stays(server):
    with (
        grpc.insecure_channel(server.grpc_target) as channel,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        requests = Requests(server, channel)
        list(pool.map(requests.send, range(WARM)))
        before = resident_mib(server.pid)
        list(pool.map(requests.send, range(WARM, REQUESTS)))
        growth = resident_mib(server.pid) - before
    print(dict(requests.counts), f"{before:.0f} MiB, {growth:+.1f} MiB")
    assert requests.counts.total() == REQUESTS
    assert requests.counts["cancelled in time"] > 50
    assert requests.counts["bad FAILED_PRECONDITION"] > 50
    assert growth < 16
    for client in requests.clients.values():
        assert client.status() == {10: "AVAILABLE"}
