"""What a fine-tuned classifier teaches a smaller model about texts."""

import hashlib
import json
from pathlib import Path

import keras
import numpy as np

from kftune.data import LengthBucketed
from kftune.files import write_aside
from kftune.models import TextClassifier, fast_tokenizer
from kftune.training.pretraining_rows import passages_alone


class Teacher:
    """A classifier of criticism and praise that is asked about many texts once.

    Args:
        classifier: `kftune.models.TextClassifier` with one head of two classes, the
            second of which means praise. It gives logits, as heads do by default.
        memory: str or path of a folder. Answers are kept there, by a hash of the texts,
            as the classifier reads them, and the weights, and not computed again.
        batch_size: int, texts a step.

    Raises:
        ValueError: If the classifier has other outputs than logits of two classes.

    Example:
    ```python
    teacher = Teacher.from_preset("runs/teacher/model", memory="runs/teacher/answers")
    teacher.ask(["A treat.", "A bore."])["praise"]
    ```
    """

    def __init__(self, classifier, memory, batch_size=64):
        shape, head = classifier.output_shape, classifier.head
        if not isinstance(shape, tuple) or shape[-1] != 2:
            raise ValueError(
                "Expected a teacher with one head of two classes, criticism and "
                f"praise. Received outputs of shape {shape}"
            )
        kind, activation = head.problem_type, head.activation.__name__
        if (kind, activation) != ("single_label_classification", "linear"):
            raise ValueError(
                "Expected a teacher that gives logits of two classes. Received: "
                f"problem_type={kind!r}, activation={activation!r}"
            )
        self.classifier = classifier
        self.memory = Path(memory)
        self.batch_size = batch_size

    def ask(self, texts):
        """Ask what the teacher makes of texts.

        Args:
            texts: sequence of N str.

        Returns:
            Dict of `"embedding"`, float16 [N, E], the pooled states, each of length 1;
            and `"praise"`, float32 [N], the probability of praise, 0 to 1.
        """
        texts = list(texts)
        rows = self.classifier.preprocessor.tokenize_rows(texts)
        path = self.memory / f"{self._digest(rows)}.npz"
        if not path.exists():
            answers = self._answer(rows)
            with write_aside(path) as aside:
                np.savez(aside, **answers)
        with np.load(path, allow_pickle=False) as file:
            return dict(file)

    @classmethod
    def from_preset(cls, preset, memory):
        """Make a teacher of a saved classifier.

        Args:
            preset: str or path, as in `kftune.models.TextClassifier.from_preset`.
            memory: str or path of a folder, see the class.

        Returns:
            `Teacher`.
        """
        return cls(TextClassifier.from_preset(preset), memory)

    def ask_alone(self, passages, corpora):
        """Ask about the training passages that come alone, each once.

        Args:
            passages: `datasets.Dataset` of `read_pretraining_corpora`.
            corpora: sequence of `PretrainingCorpus`.

        Returns:
            As `ask`, for the distinct `passages_alone` in ascending order.
        """
        alone = np.unique(passages_alone(passages, corpora))
        return self.ask(passages[alone]["text"])

    def token_embeddings(self, tokenizer, size):
        """Make initial embeddings of what the teacher makes of each token alone.

        Args:
            tokenizer: `keras_hub.models.GPT2Tokenizer` with a vocabulary of V tokens.
            size: int, D, see `embeddings_from_teacher`.

        Returns:
            float32 [V, D].
        """
        ids = [[token_id] for token_id in range(tokenizer.vocabulary_size())]
        tokens = fast_tokenizer(tokenizer).decode_batch(ids)
        return embeddings_from_teacher(self.ask(tokens)["embedding"], size)

    def _digest(self, rows):
        digest = hashlib.sha256(json.dumps([len(row) for row in rows]).encode())
        for row in rows:
            digest.update(np.asarray(row, "int32").tobytes())
        for weight in self.classifier.get_weights():
            digest.update(weight.tobytes())
        return digest.hexdigest()[:16]

    def _answer(self, rows):
        data = LengthBucketed(rows, batch_size=self.batch_size, shuffle=False)
        outputs = [self.classifier.pool.output, self.classifier.output]
        model = keras.Model(self.classifier.inputs, outputs)
        embedding, logits = data.restore_order(model.predict(data))
        norms = np.linalg.norm(embedding, axis=1, keepdims=True)
        return {
            "embedding": (embedding / np.maximum(norms, 1e-6)).astype("float16"),
            "praise": 1 / (1 + np.exp(logits[:, 0] - logits[:, 1])),
        }


def embeddings_from_teacher(vectors, size, stddev=0.03, noise=0.006, seed=0):
    """Make initial token embeddings of what a teacher makes of each token alone.

    The principal components of the vectors, as Minishlab's model2vec takes them
    (https://github.com/MinishLab/model2vec), scaled as initial weights are.

    Args:
        vectors: float [V, E], a vector for each token of the vocabulary.
        size: int, D, at most E.
        stddev: float, standard deviation of the result, without the noise.
        noise: float, standard deviation of normal noise that tells equal rows apart.
        seed: int, of the noise.

    Returns:
        float32 [V, D].

    Raises:
        ValueError: If `size` is more than E.

    Example:
    ```python
    vectors = np.random.default_rng(0).normal(size=(300, 32))
    embeddings_from_teacher(vectors, size=16).shape  # (300, 16)
    ```
    """
    vectors = np.asarray(vectors, "float32")
    if size > vectors.shape[1]:
        raise ValueError(
            f"Expected size of at most {vectors.shape[1]}, the teacher's. "
            f"Received: {size}"
        )
    centred = vectors - vectors.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    projected = centred @ directions[:size].T
    projected *= stddev / projected.std()
    rng = np.random.default_rng(seed)
    return (projected + rng.normal(0, noise, projected.shape)).astype("float32")
