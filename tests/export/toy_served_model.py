"""A toy model whose answers tell to which text they belong."""

import tensorflow as tf

TEXTS = tf.TensorSpec([None], tf.string, "text")


class Toy(tf.Module):
    """Signatures with the names and types of kftune's exports."""

    @tf.function(input_signature=[TEXTS])
    def classify(self, text):
        digits = tf.strings.regex_replace(text, "[^0-9]", "")
        numbers = [
            tf.strings.length(text, "BYTE"),
            tf.strings.to_number(tf.strings.join(["0", digits]), tf.int32),
        ]
        return {
            "label": tf.strings.upper(text, "utf-8"),
            "probabilities": tf.cast(tf.stack(numbers, 1), tf.float32),
            "label_names": tf.stack([text, tf.strings.join(["<", text, ">"])], 1),
        }

    @tf.function(input_signature=[TEXTS])
    def embed(self, text):
        length = tf.strings.length(text, "UTF8_CHAR")
        return {"embedding": tf.cast(length, tf.float32)[:, None] * [[1.0, 0.5, -1.0]]}

    @tf.function(
        input_signature=[
            TEXTS,
            tf.TensorSpec([None], tf.int32, "max_new_tokens"),
            tf.TensorSpec([None], tf.float32, "temperature"),
            tf.TensorSpec([None], tf.int64, "seed"),
        ]
    )
    def generate(self, text, max_new_tokens, temperature, seed):
        options = [max_new_tokens, temperature, seed]
        parts = [text, *map(tf.as_string, options)]
        return {"completion": tf.strings.join(parts, "|")}

    @tf.function(
        input_signature=[
            TEXTS,
            tf.TensorSpec([None], tf.int32, "max_length"),
            tf.TensorSpec([None], tf.string, "target_language"),
        ]
    )
    def translate(self, text, max_length, target_language):
        parts = [text, tf.as_string(max_length), target_language]
        return {"translation": tf.strings.join(parts, "|")}

    @tf.function(input_signature=[TEXTS])
    def cut(self, text):
        """The last letter loses its last byte."""
        length = tf.strings.length(text)
        cut = tf.strings.substr(text, tf.zeros_like(length), length - 1)
        return {"completion": cut}

    @tf.function(input_signature=[TEXTS])
    def slow(self, text):
        """Some milliseconds of work."""
        square = tf.random.uniform([200, 200])
        for _ in tf.range(20):
            square = tf.matmul(square, square)
            square /= tf.reduce_max(square)
        nothing = tf.as_string(tf.cast(tf.reduce_max(square) * 0, tf.int32))
        return {"label": tf.strings.join([text, nothing])}


def save_toy(folder):
    """Saves a version of the model."""
    toy = Toy()
    options = ("embed", "generate", "translate", "cut", "slow")
    signatures = {name: getattr(toy, name) for name in options}
    signatures["serving_default"] = toy.classify
    tf.saved_model.save(toy, str(folder), signatures)
