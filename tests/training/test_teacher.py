import keras_hub
import numpy as np
import pytest

from kftune.models import DenseHead, TextClassifierPreprocessor, attach_head
from kftune.training.teacher import Teacher, embeddings_from_teacher

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film"]
TEXTS = ["good film", "bad", "film film film good bad bad film good", "good"]


@pytest.fixture
def make_classifier(make_backbone):
    def make(num_classes=2):
        tokenizer = keras_hub.models.BertTokenizer(WORDS)
        preprocessor = TextClassifierPreprocessor(tokenizer, sequence_length=12)
        return attach_head(make_backbone("Bert"), num_classes, preprocessor)

    return make


@pytest.mark.backend
def test_answers_are_the_classifiers_own_in_the_order_of_the_texts(
    make_classifier, tmp_path
):
    task = make_classifier()
    answers = Teacher(task, tmp_path, batch_size=2).ask(TEXTS)
    logits = task.predict(TEXTS, verbose=0)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(answers["praise"], odds[:, 1] / odds.sum(1), atol=1e-5)
    assert answers["embedding"].shape == (4, 8)
    lengths = np.linalg.norm(answers["embedding"].astype("float32"), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=2e-3)


def test_answers_are_remembered(make_classifier, tmp_path, monkeypatch):
    teacher = Teacher(make_classifier(), tmp_path)
    first = teacher.ask(TEXTS)
    monkeypatch.setattr(teacher, "_answer", None)
    again = teacher.ask(TEXTS)
    np.testing.assert_array_equal(first["embedding"], again["embedding"])
    with pytest.raises(TypeError):
        teacher.ask(TEXTS[:2])
    with pytest.raises(TypeError):
        teacher.ask(["\0".join(TEXTS)])
    teacher.classifier.preprocessor.sequence_length = 4  # some are cut now
    with pytest.raises(TypeError):
        teacher.ask(TEXTS)
    teacher.classifier.preprocessor.sequence_length = 12
    weights = teacher.classifier.get_weights()
    teacher.classifier.set_weights([weight + 1 for weight in weights])
    with pytest.raises(TypeError):
        teacher.ask(TEXTS)


def test_a_teacher_has_two_classes(make_classifier, tmp_path):
    with pytest.raises(ValueError, match=r"Received outputs of shape \(None, 3\)"):
        Teacher(make_classifier(3), tmp_path)
    for wrong in (
        DenseHead(2, activation="softmax"),
        DenseHead(2, problem_type="multi_label_classification"),
    ):
        with pytest.raises(ValueError, match="Expected a teacher that gives logits"):
            Teacher(make_classifier(wrong), tmp_path)


def test_embeddings_keep_the_geometry_of_the_vectors():
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 6))
    found = embeddings_from_teacher(plane, 2, stddev=0.03, noise=0.0)
    assert found.dtype == np.float32
    assert found.std() == pytest.approx(0.03, rel=1e-4)
    distances = np.linalg.norm(plane[:, None] - plane[None], axis=-1)
    kept = np.linalg.norm(found[:, None] - found[None], axis=-1)
    np.testing.assert_allclose(
        kept, distances * kept[0, 1] / distances[0, 1], atol=1e-5
    )


def test_noise_tells_equal_vectors_apart():
    vectors = np.repeat(np.eye(3, 5), 2, axis=0)
    found = embeddings_from_teacher(vectors, 2, seed=1)
    assert not np.array_equal(found[0], found[1])
    np.testing.assert_array_equal(found, embeddings_from_teacher(vectors, 2, seed=1))


def test_embeddings_are_at_most_as_wide_as_the_vectors():
    with pytest.raises(ValueError, match="at most 5.*Received: 6"):
        embeddings_from_teacher(np.ones((9, 5)), 6)
