"""SavedModels of a few ops, good ones and each kind of bad one."""

import json

import numpy as np
import tensorflow as tf

TEXT = tf.TensorSpec([None], tf.string, name="text")
NAMES = ["rotten", "fresh"]
TEXTS = ["", "A treat.", "Ein Fest für 2 Augen"]
SLOPE = 0.1


class Scorer(tf.Module):
    """Longer texts are fresher: p = 1 / (1 + exp(-SLOPE · bytes))."""

    def __init__(self):
        super().__init__()
        self.slope = tf.Variable(SLOPE)

    @tf.function(input_signature=[TEXT])
    def answer(self, text):
        fresh = tf.sigmoid(self.slope * tf.cast(tf.strings.length(text), tf.float32))
        probabilities = tf.stack([1 - fresh, fresh], axis=-1)
        names = tf.constant(NAMES)
        return {
            "label": tf.gather(names, tf.argmax(probabilities, axis=-1)),
            "probabilities": probabilities,
            "label_names": tf.tile(names[None], [tf.shape(text)[0], 1]),
        }


def save_scorer(folder):
    """Saves a model that passes every check, with what the export writes beside it."""
    scorer = Scorer()
    tf.saved_model.save(scorer, str(folder), {"serving_default": scorer.answer})
    write_expected(folder, [{"signature": "serving_default", **expected_answers()}])
    return folder


def expected_answers():
    """Inputs and outputs of the scorer, computed by NumPy."""
    lengths = np.array([len(text.encode()) for text in TEXTS])
    fresh = 1 / (1 + np.exp(-SLOPE * lengths))
    rows = np.stack([1 - fresh, fresh], axis=-1)
    outputs = {
        "label": [NAMES[row.argmax()] for row in rows],
        "probabilities": rows.tolist(),
        "label_names": [NAMES] * len(TEXTS),
    }
    return {"inputs": {"text": TEXTS}, "outputs": outputs}


def write_expected(folder, cases, **more):
    path = folder / "assets.extra" / "expected.json"
    path.parent.mkdir(exist_ok=True)
    expected = {"kftune": "0.1.0", "task": "classifier", "cases": cases, **more}
    path.write_text(json.dumps(expected), "utf-8")


def save_function(folder, function, inputs=(TEXT,), tracked=(), **options):
    """Saves one function as `serving_default`, and what it needs of tables."""
    module = tf.Module()
    module.tracked = list(tracked)
    module.answer = tf.function(function, input_signature=inputs, **options)
    tf.saved_model.save(module, str(folder), {"serving_default": module.answer})
    return folder


def save_growing_table(folder):
    """A cache that takes in every text that it is asked for."""
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)

    def answer(text):
        table.insert(text, tf.cast(tf.strings.length(text), tf.int64))
        return {"score": table.lookup(text)}

    return save_function(folder, answer, tracked=[table])


def save_slice_update(folder):
    """The op behind `keras.ops.slice_update` on TensorFlow."""
    from tensorflow.compiler.tf2xla.python import xla

    def answer(text):
        numbers = tf.zeros([2, 3])
        updated = xla.dynamic_update_slice(numbers, tf.ones([1, 3]), [1, 0])
        lengths = tf.cast(tf.strings.length(text), tf.float32)
        return {"score": lengths[:, None] * tf.reduce_sum(updated)}

    return save_function(folder, answer)


def save_compiled(folder):
    """A function within that XLA must compile."""
    square = tf.function(lambda x: x * x, jit_compile=True)

    def answer(text):
        return {"score": square(tf.strings.length(text))}

    return save_function(folder, answer)


def save_untracked(folder):
    """A `tf.Module` that holds a Keras layer: TensorFlow saves it without a word."""
    import keras

    dense = keras.layers.Dense(2)
    dense.build((None, 1))

    def answer(text):
        return {"score": dense(tf.cast(tf.strings.length(text), tf.float32)[:, None])}

    return save_function(folder, answer, tracked=[dense])


def save_raw_bytes(folder):
    """Gives back half of each text, in the middle of a character or not."""
    return save_function(
        folder, lambda text: {"completion": tf.strings.substr(text, 0, 1)}
    )


def save_one_row(folder):
    """Gives one row, whatever the batch."""

    def answer(text):
        return {"score": tf.strings.length(text)[:1]}

    return save_function(folder, answer)


def save_no_number(folder):
    """0 / 0 for an empty text."""

    def answer(text):
        length = tf.cast(tf.strings.length(text), tf.float32)
        return {"score": length / length}

    return save_function(folder, answer)


def save_options(folder):
    """A signature with an option a row, and one that only the model knows."""
    inputs = [
        TEXT,
        tf.TensorSpec([None], tf.int32, name="max_length"),
        tf.TensorSpec([None], tf.string, name="target_language"),
    ]

    def answer(text, max_length, target_language):
        is_known = tf.reduce_all(tf.equal(target_language, "de"))
        with tf.control_dependencies([tf.debugging.Assert(is_known, [text])]):
            start = tf.zeros_like(max_length)
            cut = tf.strings.substr(target_language, start, max_length)
        return {"translation": cut}

    return save_function(folder, answer, inputs)


def save_parrot(folder, texts, outputs):
    """Answers known texts with known rows.

    Args:
        folder: `Path`.
        texts: list of B `str`.
        outputs: dict of `str` to arrays `(B, ...)`.
    """
    rows = tf.lookup.KeyValueTensorInitializer(texts, list(range(len(texts))))
    table = tf.lookup.StaticHashTable(rows, -1)

    def answer(text):
        row = table.lookup(text)
        return {key: tf.gather(tf.constant(v), row) for key, v in outputs.items()}

    return save_function(folder, answer, tracked=[table])


def write_warm_up(folder, *requests):
    """Writes requests, each a dict of inputs, as the server replays them."""
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for inputs in requests:
            log = PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = "reviews"
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log.SerializeToString())
    return folder
