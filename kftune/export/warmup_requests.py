"""Requests that a server answers before others, so that their answers are quick."""

import itertools
import warnings

import tensorflow as tf

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
BATCH_SIZES = (1, 8, 32)
_WORDS = (4, 32)
_OPTIONS = {
    "max_new_tokens": 8,
    "max_length": 16,
    "temperature": 0.7,
    "top_k": 20,
    "top_p": 0.9,
    "seed": 0,
}


def write_warmup_requests(functions, folder, name, **options):
    """Writes a request of each signature, batch size and length of texts.

    Each is answered by the signature before it is written.

    Args:
        functions: dict of traced `tf.function` by the signature's name.
        folder: `Path` of a version.
        name: `str`, the model's.
        **options: values of inputs other than texts, such as `target_language`.

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
        for signature, inputs in _requests(functions, {**_OPTIONS, **options}):
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


def _requests(functions, options):
    """Yields signatures and inputs; all sizes of the first, one of the others."""
    for signature, function in functions.items():
        sizes = [*itertools.product(BATCH_SIZES, _WORDS)]
        if signature != "serving_default":
            sizes = sizes[:1]
        for batch_size, words in sizes:
            text = " ".join(["word"] * words)
            yield (
                signature,
                {
                    spec.name: tf.cast(
                        tf.fill([batch_size], options.get(spec.name, text)), spec.dtype
                    )
                    if spec.dtype != tf.string
                    else tf.fill([batch_size], options.get(spec.name, text))
                    for spec in function.input_signature
                },
            )
