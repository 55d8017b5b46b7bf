"""Requests to a model server by REST, with Python's own library only."""

import http.client
import json
import time
import urllib.parse

from kftune.export.serving_errors import TryAgainError, serving_error
from kftune.export.serving_signature import ServingSignature, typed_array

# gRPC's names for what a server of TensorFlow Serving's, or a proxy before it, says.
_CODES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "UNAVAILABLE",
}
_CHUNK = 1 << 16


class RestTransport:
    """One model of a server, a connection a request. Threads may share it.

    Args:
        target: `str`, `"host:port"` or a URL of `http` or `https`; what stands behind
            the port, as of a proxy, goes before `/v1/models`.
        model_name: `str`.
        version: `int`, or `None` for the newest one that the server has.

    Raises:
        ValueError: if `target` is neither.

    Example:
    ```python
    transport = RestTransport("localhost:8501", "reviews")
    transport.status(timeout=1.0)  # {1: "AVAILABLE"}
    ```
    """

    def __init__(self, target, model_name, version=None):
        url = urllib.parse.urlsplit(target if "://" in target else f"http://{target}")
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(
                "Expected a target such as localhost:8501 or https://host/path. "
                f"Received: {target!r}"
            )
        secure = url.scheme == "https"
        self._connection = (
            http.client.HTTPSConnection if secure else http.client.HTTPConnection
        )
        self._host, self._port = url.hostname, url.port
        name = urllib.parse.quote(model_name, safe="")
        self._path = f"{url.path.rstrip('/')}/v1/models/{name}"
        if version is not None:
            self._path += f"/versions/{version}"

    def signatures(self, timeout):
        """Gives the `ServingSignature` of each name; `timeout` in seconds."""
        found = self._ask("GET", "/metadata", "metadata", timeout)
        found = found["signature_def"]["signature_def"]
        return {
            name: ServingSignature(
                _type_names(one["inputs"]), _type_names(one["outputs"])
            )
            for name, one in found.items()
        }

    def predict(self, name, signature, columns, timeout):
        """Gives the outputs of a signature as arrays, as `GrpcTransport.predict`."""
        inputs = {key: column.tolist() for key, column in columns.items()}
        body = {"signature_name": name, "inputs": inputs}
        outputs = self._ask("POST", ":predict", "outputs", timeout, body)
        if len(signature.outputs) == 1:  # The server leaves out the only name.
            outputs = dict.fromkeys(signature.outputs, outputs)
        return {
            key: typed_array(outputs[key], type_name)
            for key, type_name in signature.outputs.items()
            if key in outputs
        }

    def status(self, timeout):
        """Gives the state of each version, as in `{1: "AVAILABLE"}`."""
        found = self._ask("GET", "", "model_version_status", timeout)
        return {int(one["version"]): one["state"] for one in found}

    def close(self):
        """Does nothing; there is a `close` in each transport."""

    def _ask(self, method, path, wanted, timeout, body=None):
        """The entry `wanted` of the server's answer."""
        end = time.monotonic() + timeout
        connection = self._connection(self._host, self._port, timeout=timeout)
        try:
            connection.connect()
            _limit(connection.sock, end)
            connection.request(
                method,
                self._path + path,
                None if body is None else json.dumps(body),
                {"Content-Type": "application/json", "Connection": "close"},
            )
            status, text = _read(connection, end)
        except TimeoutError as error:
            raise TimeoutError(
                f"Expected an answer within {timeout:.3g} s. Received none."
            ) from error
        except ConnectionRefusedError as error:
            raise TryAgainError(f"{self._host}:{connection.port}: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionError(
                f"Expected an answer from {self._host}:{connection.port}. Received: "
                f"{error!r}"
            ) from error
        finally:
            connection.close()
        return _result(status, text, wanted)


def _read(connection, end):
    """Status and text of the answer; no part of it may come after `end`."""
    sock = connection.sock
    _limit(sock, end)
    with connection.getresponse() as response:
        parts = []
        while part := response.read1(_CHUNK):
            parts.append(part)
            if response.isclosed():  # the whole came, and the socket is gone
                break
            _limit(sock, end)
    return response.status, b"".join(parts).decode("utf-8", "replace")


def _limit(sock, end):
    """Lets a socket wait until `end`."""
    sock.settimeout(max(end - time.monotonic(), 1e-3))


def _result(status, text, wanted):
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    answer = answer if isinstance(answer, dict) else {"error": text}
    if status == http.client.OK and wanted in answer:
        return answer[wanted]
    code = _CODES.get(status, f"HTTP {status}")
    raise serving_error(code, str(answer.get("error", text)))


def _type_names(tensors):
    return {name: tensor["dtype"] for name, tensor in tensors.items()}
