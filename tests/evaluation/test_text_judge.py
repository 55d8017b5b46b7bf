import numpy as np
import pytest
from datasets import Dataset

import kftune
from kftune.evaluation import predict_naive_bayes, text_judge

pytestmark = pytest.mark.backend

TEXTS = ["so fine a film", "a dull day", "fine, very fine", "dull, dull"]
TRAIN = kftune.data.encode_labels(
    Dataset.from_dict({"text": TEXTS, "label": ["fresh", "rotten", "fresh", "rotten"]})
)


@pytest.fixture(scope="module")
def classifier(language_model, tmp_path_factory):
    """A random classifier, its names in another order than that of the corpus."""
    task = kftune.models.TextClassifier.with_head(
        language_model.backbone,
        kftune.models.DenseHead(2, label_names=["rotten", "fresh"]),
        kftune.models.GPT2TextClassifierPreprocessor(
            language_model.preprocessor.tokenizer, 12
        ),
    )
    folder = tmp_path_factory.mktemp("classifier") / "model"
    task.save_to_preset(folder)
    return task, folder


def test_naive_bayes_judges_unless_told_otherwise():
    texts = ["what a fine day", "how dull"]
    expected = predict_naive_bayes(TRAIN["text"], TRAIN["label"], texts)
    assert text_judge(TRAIN)(texts).tolist() == expected.tolist() == [0, 1]


def test_classes_of_a_saved_classifier_are_those_of_the_corpus(classifier):
    task, folder = classifier
    texts = [f"{text} number {i}" for i, text in enumerate(TEXTS * 4)]
    theirs = np.asarray(task.predict(texts, verbose=0)).argmax(axis=-1)
    assert text_judge(TRAIN, folder)(texts).tolist() == (1 - theirs).tolist()


def test_a_classifier_of_other_classes_is_refused(classifier):
    train = kftune.data.encode_labels(
        Dataset.from_dict({"text": TEXTS, "label": list("abab")})
    )
    message = r"\['a', 'b'\].*Received: .*TextClassifier in .*\['rotten', 'fresh'\]"
    with pytest.raises(ValueError, match=message):
        text_judge(train, classifier[1])


def test_a_language_model_is_no_classifier():
    with pytest.raises(ValueError, match=r"Received: GPT2CausalLM in .* with \[\]"):
        text_judge(TRAIN, "gpt2_tiny_en")
