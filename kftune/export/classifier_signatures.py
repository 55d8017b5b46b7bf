"""What the SavedModel of a classifier answers."""

import keras
import tensorflow as tf

from kftune.export.graph_rows import cut_to_longest, text_input, valid_utf8


class ClassifierSignatures:
    """Functions from texts to labels and probabilities, and to embeddings.

    Letters: B batch, C outputs, D hidden.

    Args:
        task: `kftune.models.TextClassifier` with a preprocessor.
        jit_compile: `bool`. Whether XLA compiles the model.

    Example:
    ```python
    signatures = ClassifierSignatures(task).functions()
    signatures["serving_default"](tf.constant(["A treat."]))["label"]
    ```
    """

    kind = "classifier"

    def __init__(self, task, *, jit_compile=False):
        self._task = task
        self._jit_compile = jit_compile
        any_head = next(iter(task.heads.values()))
        pooled = keras.Model(task.input, any_head.input)
        self._model = self._compiled(lambda x: task(x, training=False))
        self._pooled = self._compiled(lambda x: pooled(x, training=False))

    def functions(self):
        """Makes the signatures.

        Returns:
            Dict of `tf.function` by name.
        """
        return {
            name: tf.function(function, input_signature=[text_input()])
            for name, function in (
                ("serving_default", self.classify),
                ("embed", self.embed),
            )
        }

    def classify(self, text):
        """Gives labels, probabilities and the names of the classes.

        Args:
            text: string tensor `(B,)`.

        Returns:
            Dict of `label`, string `(B,)`, `probabilities`, float32 `(B, C)`, and
            `label_names`, string `(B, C)`. Without `label` where each of several labels
            is true or not; `values`, float32 `(B, C)`, in place of all for a
            regression. If there are several heads, each name ends in `_<head>`.
        """
        outputs = self._model(self._features(text))
        if not self._task.has_several_heads:
            return head_answers(self._task.head, outputs)
        return {
            f"{name}_{head}": answer
            for head, output in outputs.items()
            for name, answer in head_answers(self._task.heads[head], output).items()
        }

    def embed(self, text):
        """Gives the vectors that the head reads.

        Args:
            text: string tensor `(B,)`.

        Returns:
            Dict of `embedding`, float32 `(B, D)`.
        """
        pooled = self._pooled(self._features(text))
        return {"embedding": tf.cast(pooled, tf.float32)}

    def _features(self, text):
        features = self._task.preprocessor(valid_utf8(text))
        mask, token_ids = cut_to_longest(
            features["padding_mask"],
            features["token_ids"],
            to_power_of_two=self._jit_compile,
        )
        return {"token_ids": token_ids, "padding_mask": tf.cast(mask, tf.int32)}

    def _compiled(self, function):
        return (
            tf.function(function, jit_compile=True) if self._jit_compile else function
        )


def head_answers(head, outputs):
    """Makes answers of the outputs of a head.

    Args:
        head: `kftune.models.DenseHead`.
        outputs: float tensor `(B, C)`.

    Returns:
        Dict, see `ClassifierSignatures.classify`.
    """
    outputs = tf.cast(outputs, tf.float32)
    if head.problem_type == "regression":
        return {"values": outputs}
    names = tf.constant(head.label_names or [str(i) for i in range(head.num_classes)])
    probabilities = _probabilities(head, outputs)
    answers = {
        "probabilities": probabilities,
        "label_names": tf.repeat(names[None], tf.shape(outputs)[0], axis=0),
    }
    if head.problem_type == "single_label_classification":
        answers["label"] = tf.gather(names, tf.argmax(probabilities, axis=-1))
    return answers


def _probabilities(head, outputs):
    if head.activation is not keras.activations.linear:
        return outputs
    if head.problem_type == "multi_label_classification":
        return tf.sigmoid(outputs)
    return tf.nn.softmax(outputs)
