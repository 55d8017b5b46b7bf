"""The messages of TensorFlow Serving. Importing this module imports TensorFlow."""

try:
    from tensorflow_serving.apis import (
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_service_pb2_grpc,
    )
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "Expected the package tensorflow-serving-api for gRPC. Received: "
        f"{error}. Install it with pip install 'kftune[serving]', or use "
        'protocol="rest".'
    ) from error

__all__ = [
    "get_model_metadata_pb2",
    "get_model_status_pb2",
    "model_service_pb2_grpc",
    "predict_pb2",
    "prediction_service_pb2_grpc",
]
