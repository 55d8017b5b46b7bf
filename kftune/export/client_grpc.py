"""Requests to a model server by gRPC."""

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from kftune.export.serving_errors import serving_error
from kftune.export.serving_protos import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from kftune.export.serving_signature import ServingSignature

_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # As by REST: straight to the server, whatever proxy the environment names.
    ("grpc.enable_http_proxy", 0),
    # Of itself, a channel that lost its server waits longer than our retries do.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class GrpcTransport:
    """A channel to one model of a server. Threads may share it.

    Args:
        target: `str`, `"host:port"`.
        model_name: `str`.
        version: `int`, or `None` for the newest one that the server has.

    Example:
    ```python
    transport = GrpcTransport("localhost:8500", "reviews")
    transport.status(timeout=1.0)  # {1: "AVAILABLE"}
    transport.close()
    ```
    """

    def __init__(self, target, model_name, version=None):
        self.model_name = model_name
        self.version = version
        self._channel = grpc.insecure_channel(target, options=_OPTIONS)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(
            self._channel
        )
        self._model = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def signatures(self, timeout):
        """Gives the `ServingSignature` of each name; `timeout` in seconds."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            metadata_field=["signature_def"]
        )
        response = self._ask(self._prediction.GetModelMetadata, request, timeout)
        found = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(found)
        return {
            name: ServingSignature(_type_names(one.inputs), _type_names(one.outputs))
            for name, one in found.signature_def.items()
        }

    def predict(self, name, signature, columns, timeout):
        """Gives the outputs of a signature as arrays.

        Args:
            name: `str`, of the signature.
            signature: `ServingSignature`.
            columns: `dict` of arrays by input.
            timeout: `float`, seconds.

        Returns:
            `dict` of arrays by output, those of `signature` that the server gave;
            strings as `str`.
        """
        request = predict_pb2.PredictRequest()
        request.model_spec.signature_name = name
        for key, column in columns.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(column))
        outputs = self._ask(self._prediction.Predict, request, timeout).outputs
        given = [key for key in signature.outputs if key in outputs]
        return {key: _as_array(outputs[key]) for key in given}

    def status(self, timeout):
        """Gives the state of each version, as in `{1: "AVAILABLE"}`."""
        request = get_model_status_pb2.GetModelStatusRequest()
        response = self._ask(self._model.GetModelStatus, request, timeout)
        return {
            one.version: get_model_status_pb2.ModelVersionStatus.State.Name(one.state)
            for one in response.model_version_status
        }

    def close(self):
        """Closes the channel."""
        self._channel.close()

    def _ask(self, method, request, timeout):
        request.model_spec.name = self.model_name
        if self.version is not None:
            request.model_spec.version.value = self.version
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            raise serving_error(error.code().name, error.details()) from error


def _type_names(tensors):
    return {
        name: types_pb2.DataType.Name(tensor.dtype) for name, tensor in tensors.items()
    }


def _as_array(tensor):
    """An array; bytes that are not UTF-8 become U+FFFD."""
    array = tf.make_ndarray(tensor)
    if array.dtype != object:
        return array
    texts = [value.decode("utf-8", "replace") for value in array.ravel()]
    return np.array(texts, dtype=object).reshape(array.shape)
