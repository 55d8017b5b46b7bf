"""The gRPC side of a stand-in server, with the messages of TensorFlow Serving."""

import contextlib
from concurrent import futures

import grpc
import tensorflow as tf

from kftune.export.serving_protos import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from kftune.export.stand_in_model import UnknownModelError, UnknownSignatureError

_THREADS = 8
_NO_LIMIT = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),  # A port that is taken is an error.
]


class StandInPrediction(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers `Predict` and `GetModelMetadata` with one `StandInModel`."""

    def __init__(self, model):
        self._model = model

    def Predict(self, request, context):  # noqa: N802, the name of the service
        """Runs a signature; calls that were cancelled while they waited are left."""
        response = predict_pb2.PredictResponse()
        if not context.is_active():
            return response
        with _status_of_errors(context):
            _check_spec(self._model, request)
            inputs = {k: _as_array(k, tensor) for k, tensor in request.inputs.items()}
            name = request.model_spec.signature_name
            outputs = self._model.predict(name, inputs)
            for key, value in outputs.items():
                response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
            _fill_spec(response, self._model, name or "serving_default")
        return response

    def GetModelMetadata(self, request, context):  # noqa: N802
        """Gives the signatures."""
        with _status_of_errors(context):
            _check_spec(self._model, request)
            if list(request.metadata_field) != ["signature_def"]:
                raise ValueError(
                    "Expected the metadata field signature_def. Received: "
                    f"{list(request.metadata_field)}"
                )
        return metadata_response(self._model)


class StandInStatus(model_service_pb2_grpc.ModelServiceServicer):
    """Answers `GetModelStatus`: the version is there as soon as anything is."""

    def __init__(self, model):
        self._model = model

    def GetModelStatus(self, request, context):  # noqa: N802
        """Gives the state of the version."""
        with _status_of_errors(context):
            _check_spec(self._model, request)
        return status_response(self._model)


def grpc_server(model, port):
    """Starts to answer on the loopback interface.

    Args:
        model: `StandInModel`.
        port: `int`; 0 takes a free one.

    Returns:
        Tuple of the `grpc.Server`, which runs, and its port.

    Raises:
        RuntimeError: if the port is taken.
    """
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=_NO_LIMIT)
    add = prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server
    add(StandInPrediction(model), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        StandInStatus(model), server
    )
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port


def metadata_response(model):
    """Gives the `GetModelMetadataResponse` of a `StandInModel`."""
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, signature in model.signature_defs.items():
        signatures.signature_def[name].CopyFrom(signature)
    response.metadata["signature_def"].Pack(signatures)
    _fill_spec(response, model)
    return response


def status_response(model):
    """Gives the `GetModelStatusResponse` of a `StandInModel`."""
    status = get_model_status_pb2.ModelVersionStatus(
        version=model.version, state="AVAILABLE"
    )
    status.status.error_code = 0
    return get_model_status_pb2.GetModelStatusResponse(model_version_status=[status])


def _check_spec(model, request):
    spec = request.model_spec
    version = spec.version.value if spec.HasField("version") else None
    model.check_spec(spec.name, version)


def _fill_spec(response, model, signature=""):
    response.model_spec.name = model.name
    response.model_spec.version.value = model.version
    response.model_spec.signature_name = signature


def _as_array(name, tensor):
    try:
        return tf.make_ndarray(tensor)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is no tensor: {error}") from error


@contextlib.contextmanager
def _status_of_errors(context):
    """Ends a call with the status that TensorFlow Serving would give."""
    try:
        yield
    except UnknownModelError as error:
        context.abort(grpc.StatusCode.NOT_FOUND, str(error))
    except UnknownSignatureError as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
    except ValueError as error:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    except Exception as error:
        context.abort(grpc.StatusCode.INTERNAL, repr(error))
