"""Requests that a server answers before others, so that their answers are quick."""

import itertools
import warnings

import tensorflow as tf

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
BATCH_SIZES = (1, 8, 32)
_WORDS = (4, 32)
_LENGTHS = {"max_new_tokens", "max_length"}
_OPTIONS = {
    "max_new_tokens": 8,
    "max_length": 16,
    "temperature": 0.7,
    "top_k": 20,
    "top_p": 0.9,
    "seed": 0,
}


def write_warmup_requests(functions, folder, name, target_language=None):
    """Writes a request of each signature, and of each batch size and length of texts.

    Each is answered by the signature before it is written. All sizes go to
    `serving_default`, or, where it generates, to the signature that takes a length: a
    server that generated 32 whole texts would be slow to start.

    Args:
        functions: dict of `tf.types.experimental.ConcreteFunction` by the signature's
            name.
        folder: `Path` of a version.
        name: `str`, the model's.
        target_language: `str`, a code for signatures that take one, or `None`.

    Returns:
        `int`, how many requests were written; 0, with a warning, if
        `tensorflow-serving-api` is not installed.
    """
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError:
        warnings.warn(
            "The export has no warm-up requests: a server's first answers will be "
            "slow. They need: pip install kftune[serving]",
            stacklevel=2,
        )
        return 0
    path = folder / WARMUP_FILE
    path.parent.mkdir(exist_ok=True)
    count = 0
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in _requests(functions, target_language):
            functions[signature](**inputs)
            log = prediction_log_pb2.PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            for key, tensor in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(tensor))
            writer.write(log.SerializeToString())
            count += 1
    return count


def _requests(functions, target_language):
    """Yields signatures and inputs; all sizes of one signature, one of the others."""
    inputs = {name: f.structured_input_signature[0] for name, f in functions.items()}
    takes_length = [
        signature
        for signature, specs in inputs.items()
        if not _LENGTHS.isdisjoint(spec.name for spec in specs)
    ]
    every_size = next(iter(takes_length), "serving_default")
    for signature, specs in inputs.items():
        sizes = [*itertools.product(BATCH_SIZES, _WORDS)]
        for size, words in sizes if signature == every_size else sizes[:1]:
            text = " ".join(["word"] * words)
            values = {**_OPTIONS, "target_language": target_language}
            yield (
                signature,
                {
                    spec.name: tf.constant(
                        [values.get(spec.name, text)] * size, spec.dtype
                    )
                    for spec in specs
                },
            )
