"""A client of TensorFlow Serving for the models that kftune exports."""

import numpy as np

from kftune.error_text import first_few
from kftune.export.retry import Retry


class ServingClient:
    """Asks a model server, by gRPC or REST, with texts and gives arrays.

    Names and types of the inputs are the server's own: it is asked for them once.
    Requests that fail because the server is down, starting or full are sent again,
    after pauses that grow. Threads may share a client. Importing this module imports
    no TensorFlow; a client for gRPC does.

    Args:
        target: `str`. `"host:port"`; for REST also a URL of `http` or `https`.
        model_name: `str`, the name that the server knows the model by.
        protocol: `str`, `"grpc"` (needs the extra `serving`) or `"rest"`.
        version: `int`, or `None` for the newest one that the server has.
        timeout: `float`, seconds, more than 0: for the answer to one request, all
            tries and pauses included.
        retries: `int`, 0 or more: tries after the first.
        max_batch_size: `int`, 1 or more: texts a request. Longer lists are split.

    Raises:
        ValueError: if an argument is not as expected.
        ModuleNotFoundError: if gRPC is asked for and tensorflow-serving-api missing.

    Example:
    ```python
    with ServingClient("localhost:8500", "reviews") as client:
        client.labels(["A warm, witty film.", "Lifeless."])
        client.predict("A warm, witty film.")["probabilities"]  # array [1, C]
    ```
    """

    def __init__(
        self,
        target,
        model_name,
        *,
        protocol="grpc",
        version=None,
        timeout=60.0,
        retries=4,
        max_batch_size=32,
    ):
        _check(
            protocol=(protocol in ("grpc", "rest"), '"grpc" or "rest"', protocol),
            timeout=(timeout > 0, "more than 0 seconds", timeout),
            retries=(retries >= 0, "0 or more", retries),
            max_batch_size=(max_batch_size >= 1, "1 or more", max_batch_size),
        )
        self.max_batch_size = max_batch_size
        self.retry = Retry(retries, timeout)
        self._transport = _transport(protocol)(target, model_name, version)
        self._signatures = {}

    def predict(self, texts, signature="serving_default", **options):
        """Gives the outputs of a signature.

        Args:
            texts: `str` or list of B `str`.
            signature: `str`, such as `"embed"`.
            **options: the other inputs of the signature: a value for all texts, or a
                sequence of B values, as in `temperature=0.7, seed=[1, 2]`.

        Returns:
            `dict` of arrays by output, in the order of the texts. The first axis is B,
            1 for one `str`. Strings are `str` in arrays of objects; bytes that are not
            UTF-8 become U+FFFD.

        Raises:
            ValueError: if there are no texts, or inputs are not what the signature
                takes; nothing is sent then. Also if the server refuses them.
            LookupError: if the server has no such model, version or signature.
            ConnectionError: if the server cannot be reached, or answered none of the
                tries.
            TimeoutError: if there was no answer in time.
            RuntimeError: if the server failed.
        """
        texts = [texts] if isinstance(texts, str) else list(texts)
        if not texts:
            raise ValueError("Expected a text, or a list of texts. Received: no text")
        described = self._signature(signature)
        columns = described.columns(texts, options)
        answers = [
            self._ask(signature, described, _rows(columns, start, self.max_batch_size))
            for start in range(0, len(texts), self.max_batch_size)
        ]
        return {
            name: np.concatenate([answer[name] for answer in answers])
            for name in described.outputs
        }

    def labels(self, texts):
        """Gives the likeliest class of each text, of a classifier with one head.

        Args:
            texts: `str` or list of `str`.

        Returns:
            `str` for one text, else list of `str`.
        """
        return self._strings("label", texts, "serving_default")

    def translate(self, texts, **options):
        """Translates texts, as the model was exported or with options.

        Args:
            texts: `str` or list of `str`.
            **options: of the signature `translate`: `max_length` (128, if others are
                given) and, for models of several languages, `target_language`.

        Returns:
            `str` for one text, else list of `str`.
        """
        if not options:
            return self._strings("translation", texts, "serving_default")
        options = {"max_length": 128, **options}
        return self._strings("translation", texts, "translate", **options)

    def complete(self, texts, **options):
        """Goes on with texts, as the model was exported or with options.

        Args:
            texts: `str` or list of `str`.
            **options: those of the signature `generate`, all of them.

        Returns:
            `str` for one text, else list of `str`.
        """
        signature = "generate" if options else "serving_default"
        return self._strings("completion", texts, signature, **options)

    def status(self):
        """Gives the state of each version that the server has.

        Returns:
            `dict`, as in `{1: "AVAILABLE"}`; `"LOADING"` before.

        Raises:
            As `predict`.
        """
        return self.retry.call(self._transport.status)

    def close(self):
        """Closes the connection; the end of a `with` block does so, too."""
        self._transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _signature(self, name):
        known = self._signatures  # another thread may forget them meanwhile
        if name not in known:
            found = self.retry.call(self._transport.signatures)
            # The loader of a SavedModel keeps one of its own among them.
            loaders = [key for key in found if key.startswith("__saved_model")]
            known = {k: v for k, v in found.items() if k not in loaders}
            self._signatures = known
        if name not in known:
            raise LookupError(
                f"Expected one of the model's signatures: "
                f"{first_few(sorted(known), 9)}. Received: {name!r}"
            )
        return known[name]

    def _ask(self, name, signature, columns):
        """The answer to one request, with all outputs and a row for each text."""

        def attempt(left):
            return self._transport.predict(name, signature, columns, left)

        try:
            answer = self.retry.call(attempt)
            _check_rows(answer, signature.outputs, len(columns["text"]))
        except (LookupError, ValueError, RuntimeError):
            self._signatures = {}  # The server may have another version by now.
            raise
        return answer

    def _strings(self, output, texts, signature, **options):
        answer = self.predict(texts, signature, **options)
        if output not in answer:
            raise LookupError(
                f"Expected a model that gives {output!r}. Received: one that gives "
                f"{sorted(answer)}; predict takes any."
            )
        values = answer[output].tolist()
        return values[0] if isinstance(texts, str) else values


def _transport(protocol):
    """The class that speaks a protocol, imported when it is needed."""
    if protocol == "rest":
        from kftune.export.client_rest import RestTransport

        return RestTransport
    from kftune.export.client_grpc import GrpcTransport

    return GrpcTransport


def _rows(columns, start, size):
    return {name: column[start : start + size] for name, column in columns.items()}


def _check_rows(answer, outputs, rows):
    """Rows that do not match the texts would give answers to others' texts."""
    shapes = {name: answer[name].shape if name in answer else None for name in outputs}
    if wrong := {name: s for name, s in shapes.items() if not s or s[0] != rows}:
        raise RuntimeError(
            f"Expected outputs of {rows} rows. Received: shapes {wrong}. The model is "
            "not exported for batches, or the server has loaded another one."
        )


def _check(**arguments):
    wrong = [
        f"{name}: expected {expected}. Received: {value!r}"
        for name, (fits, expected, value) in arguments.items()
        if not fits
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
