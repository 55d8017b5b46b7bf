"""The REST client and servers that fail: fakes in this process."""

import http.server
import json
import socket
import threading
import time

import pytest

from kftune.export import ServingClient


class Failing(http.server.BaseHTTPRequestHandler):
    """Answers with what the server's `answers` say, one a POST, else with the texts."""

    def do_GET(self):
        self.server.paths.append(self.path)
        tensors = {"dtype": "DT_STRING", "tensor_shape": {}, "name": "x:0"}
        signature = {"inputs": {"text": tensors}, "outputs": {"label": tensors}}
        signatures = {"signature_def": {"serving_default": signature}}
        self.answer(200, json.dumps({"metadata": {"signature_def": signatures}}))

    def do_POST(self):
        self.server.paths.append(self.path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        default = (200, json.dumps({"outputs": body["inputs"]["text"]}))
        status, content = (self.server.answers or [default]).pop(0)
        if status == "hang up":
            self.connection.shutdown(socket.SHUT_RDWR)
        elif status == "dribble":
            self.answer(200, " ", length=100)
            while not self.server.stay.wait(0.05):
                self.wfile.write(b" ")
        else:
            self.answer(status, content)

    def answer(self, status, content, length=None):
        content = content if isinstance(content, bytes) else content.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Failing)
    server.handle_error = lambda *_: None
    server.answers, server.paths, server.bodies = [], [], []
    server.stay = threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.stay.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(server):
    with ServingClient(
        f"http://127.0.0.1:{server.server_port}/prefix/",
        "a b",
        protocol="rest",
        version=3,
        retries=2,
        max_batch_size=2,
    ) as client:
        client.pauses = []
        client.retry.sleep = client.pauses.append
        yield client


def test_requests_are_those_of_tensorflow_serving(client, server):
    assert client.labels(["a", "é", "c"]) == ["a", "é", "c"]
    base = "/prefix/v1/models/a%20b/versions/3"
    assert server.paths == [f"{base}/metadata", f"{base}:predict", f"{base}:predict"]
    assert server.bodies == [
        {"signature_name": "serving_default", "inputs": {"text": ["a", "é"]}},
        {"signature_name": "serving_default", "inputs": {"text": ["c"]}},
    ]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_that_is_down_or_full_is_asked_again(client, server, status):
    server.answers = [(status, "<html>no"), (status, '{"error": "busy"}')]
    assert client.labels("a") == "a"
    assert len(client.pauses) == 2
    server.answers = [(status, '{"error": "busy"}')] * 3
    with pytest.raises(ConnectionError, match="in 3 tries, .*: busy"):
        client.labels("a")
    assert len(server.bodies) == 6


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        ((400, '{"error": "Missing input"}'), ValueError, "Missing input"),
        (
            (400, '{"error": "Serving signature name: \\"a\\" not found in"}'),
            LookupError,
            "not found in",
        ),
        ((404, '{"error": "Servable not found"}'), LookupError, "Servable not found"),
        # TensorFlow Serving escapes messages as C does, which JSON does not know.
        ((400, r"""{ "error": "no \'text\'" }"""), ValueError, r"no \\'text"),
        ((404, "<html>"), LookupError, "NOT_FOUND: <html>"),
        ((500, '{"error": "oh"}'), RuntimeError, "HTTP 500: oh"),
        ((200, "no JSON"), RuntimeError, "HTTP 200: no JSON"),
        ((200, "[1]"), RuntimeError, r"HTTP 200: \[1\]"),
        ((200, '{"outputs": ["a", "b"]}'), RuntimeError, r"1 rows.*'label': \(2,\)"),
        (("hang up", ""), ConnectionError, "Expected an answer from 127.0.0.1"),
    ],
)
def test_other_failures_are_told_at_once(client, server, answer, kind, message):
    server.answers = [answer]
    with pytest.raises(kind, match=message):
        client.labels("a")
    assert len(server.bodies) == 1
    assert client.pauses == []


def test_bytes_that_are_no_utf_8_are_replaced(client, server):
    server.answers = [(200, b'{"outputs": ["a\xc3"]}')]
    assert client.labels("a") == "a\ufffd"


def test_an_answer_that_never_ends_is_given_up(client, server):
    assert client.labels("a") == "a"
    server.answers = [("dribble", "")]
    client.retry.timeout = 0.3
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="Expected an answer within 0.3 s"):
        client.labels("a")
    assert time.monotonic() - started < 5


def test_nothing_listens():
    with socket.socket() as taken:  # Bound, and does not listen.
        taken.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{taken.getsockname()[1]}"
        client = ServingClient(target, "m", protocol="rest", retries=1)
        client.retry.sleep = lambda _: None
        with pytest.raises(ConnectionError, match="in 2 tries, .*refused"):
            client.status()


@pytest.mark.parametrize("target", ["ftp://host", "http://", ""])
def test_targets_that_are_none(target):
    with pytest.raises(ValueError, match="Expected a target such as localhost:8501"):
        ServingClient(target, "m", protocol="rest")
