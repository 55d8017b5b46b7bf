"""The REST side of a stand-in server: paths and JSON of TensorFlow Serving."""

import http.server
import json
import re
import threading
import urllib.parse

from google.protobuf.json_format import MessageToDict
from tensorflow.core.framework import types_pb2

from kftune.export.serving_signature import typed_array
from kftune.export.stand_in_grpc import metadata_response, status_response
from kftune.export.stand_in_model import UnknownModelError

_PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(:predict|/metadata)?")


def rest_server(model, port):
    """Starts to answer on the loopback interface, a thread a connection.

    Args:
        model: `StandInModel`.
        port: `int`; 0 takes a free one.

    Returns:
        `http.server.ThreadingHTTPServer`, which runs; `server_port` is its port.

    Raises:
        OSError: if the port is taken.
    """
    server = _RestServer(("127.0.0.1", port), _Handler)
    server.model = model
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class _RestServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        """A client that hung up is no error of the server's."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer({None: _status, "/metadata": _metadata})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer({":predict": lambda model: _predict(model, body)})

    def log_message(self, *_):
        """A server for tests does not log each request."""

    def _answer(self, actions):
        try:
            status, answer = 200, self._result(actions)
        except UnknownModelError as error:
            status, answer = 404, {"error": str(error)}
        except ValueError as error:
            status, answer = 400, {"error": str(error)}
        except Exception as error:
            status, answer = 500, {"error": repr(error)}
        content = json.dumps(answer).encode("ascii")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _result(self, actions):
        match = _PATH.fullmatch(self.path)
        if match is None or match[3] not in actions:
            raise ValueError(f"Malformed request: {self.command} {self.path}")
        version = None if match[2] is None else int(match[2])
        model = self.server.model
        model.check_spec(urllib.parse.unquote(match[1]), version)
        return actions[match[3]](model)


def _status(model):
    return _as_json(status_response(model))


def _metadata(model):
    response = metadata_response(model)
    answer = _as_json(response)
    # Within the JSON form of Any stands the type's URL, which the server leaves out.
    answer["metadata"]["signature_def"].pop("@type")
    return answer


def _predict(model, body):
    request = _request(body)
    name = request.get("signature_name", "")
    inputs = request["inputs"]
    expected = model.signature(name).inputs
    if not isinstance(inputs, dict):
        inputs = dict.fromkeys(list(expected)[:1], inputs)
    arrays = {
        key: _as_array(key, value, expected)
        for key, value in inputs.items()
        if key in expected  # The server does not look at others.
    }
    outputs = model.predict(name, arrays)
    columns = {key: _plain(value) for key, value in outputs.items()}
    if len(columns) == 1:
        return {"outputs": next(iter(columns.values()))}
    return {"outputs": columns}


def _request(body):
    try:
        request = json.loads(body)
    except ValueError as error:
        raise ValueError(f"JSON Parse error: {error}") from error
    if not isinstance(request, dict) or "inputs" not in request:
        raise ValueError(
            "Expected a JSON object with 'inputs', the columnar form (this stand-in "
            f"takes no 'instances'). Received: {body[:80]!r}"
        )
    if not isinstance(request.get("signature_name", ""), str):
        raise ValueError("Expected a string for 'signature_name'")
    return request


def _as_array(name, value, expected):
    type_name = types_pb2.DataType.Name(expected[name].dtype)
    try:
        return typed_array(value, type_name)
    except ValueError as error:
        raise ValueError(f"JSON value of {name}: {error}") from error


def _plain(array):
    """Nested lists; bytes that are not UTF-8 become U+FFFD, which the server sends."""
    if array.dtype != object:
        return array.tolist()
    array = array.copy()
    array.flat = [value.decode("utf-8", "replace") for value in array.flat]
    return array.tolist()


def _as_json(message):
    return MessageToDict(
        message,
        always_print_fields_with_no_presence=True,
        preserving_proto_field_name=True,
    )
