"""The server's own files beside the versions: `models.config`, batching parameters."""

from pathlib import Path

_NAMES = ("models.config", "batching_params.txt")
_PACKAGE = "kftune.batching"
# The fields of TF Serving's BatchingParameters, whose proto is in no package.
_BATCHING_FIELDS = {
    "max_batch_size": "google.protobuf.Int64Value",
    "batch_timeout_micros": "google.protobuf.Int64Value",
    "max_enqueued_batches": "google.protobuf.Int64Value",
    "num_batch_threads": "google.protobuf.Int64Value",
    "thread_pool_name": "google.protobuf.StringValue",
    "allowed_batch_sizes": "int64",
    "pad_variable_length_inputs": "bool",
}


def config_problems(folder):
    """Parses the server's files of a model, those that are there.

    Args:
        folder: `Path`, the base path of the model.

    Returns:
        List of `str`.
    """
    readers = zip(_NAMES, (_models_problems, _batching_problems), strict=True)
    return [
        f"{folder / name}: {problem}. Mend it or export again"
        for name, read in readers
        if (folder / name).is_file()
        for problem in read((folder / name).read_text("utf-8"))
    ]


def _models_problems(text):
    """Problems with the text of a `ModelServerConfig`."""
    try:
        from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig
    except ImportError:
        return [
            "cannot be parsed without the package. Run: pip install kftune[serving]"
        ]
    config, problem = _parsed(text, ModelServerConfig())
    if problem:
        return [problem]
    models = config.model_config_list.config
    if not models:
        return ["expected a model_config_list. Received: no models"]
    return [
        f"expected an absolute base_path. Received: {model.base_path!r}"
        for model in models
        if not Path(model.base_path).is_absolute()
    ]


def _batching_problems(text):
    """Problems with the text of a `BatchingParameters`."""
    from google.protobuf import message_factory

    message = message_factory.GetMessageClass(_batching_descriptor())()
    parameters, problem = _parsed(text, message)
    if problem:
        return [problem]
    sizes, largest = parameters.allowed_batch_sizes, parameters.max_batch_size.value
    if sizes and (list(sizes) != sorted(set(sizes)) or sizes[-1] != largest):
        return [
            "expected allowed_batch_sizes that increase up to max_batch_size, "
            f"{largest}. Received: {list(sizes)}"
        ]
    return []


def _parsed(text, message):
    """The message of a text, and what is wrong with it or `None`."""
    from google.protobuf import text_format

    try:
        return text_format.Parse(text, message), None
    except text_format.ParseError as error:
        return message, f"expected a text proto of the server. Received: {error}"


def _batching_descriptor():
    """A descriptor of `BatchingParameters`, by the names of its fields."""
    from google.protobuf import descriptor_pb2, descriptor_pool, wrappers_pb2

    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(
        name="batching.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    message = file.message_type.add(name="BatchingParameters")
    kinds = descriptor_pb2.FieldDescriptorProto
    for number, (name, kind) in enumerate(_BATCHING_FIELDS.items(), start=1):
        several = kind == "int64"
        field = message.field.add(
            name=name,
            number=number,
            label=kinds.LABEL_REPEATED if several else kinds.LABEL_OPTIONAL,
        )
        if "." in kind:
            field.type, field.type_name = kinds.TYPE_MESSAGE, f".{kind}"
        else:
            field.type = kinds.TYPE_INT64 if several else kinds.TYPE_BOOL
    pool.AddSerializedFile(file.SerializeToString())
    return pool.FindMessageTypeByName(f"{_PACKAGE}.BatchingParameters")
