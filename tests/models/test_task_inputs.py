import keras
import numpy as np
import pytest
import tensorflow as tf

from kftune.data import LengthBucketed
from kftune.decoding import BeamSearch
from kftune.models import (
    DenseHead,
    GPT2Backbone,
    GPT2TextClassifier,
    GPT2TextClassifierPreprocessor,
    attach_head,
)
from kftune.models.task_inputs import as_arrays

pytestmark = pytest.mark.backend

TEXTS = ["good film", "bad", "a slow start", "it's all over again", "see it"]
LABELS = [1, 0, 1, 0, 1]


@pytest.fixture
def task(gpt2_backbone, gpt2_tokenizer, quick):
    preprocessor = GPT2TextClassifierPreprocessor(gpt2_tokenizer, sequence_length=20)
    task = GPT2TextClassifier(gpt2_backbone, 2, preprocessor, dropout=0)
    task.compile(keras.optimizers.SGD(0.1), **quick)
    return task


class Batches(keras.utils.PyDataset):
    """The texts in batches of 2, each as long as it has to be."""

    def __init__(self, preprocessor):
        super().__init__()
        self.rows = preprocessor.tokenize_rows(TEXTS)

    def __len__(self):
        return 3

    def __getitem__(self, index):
        rows = self.rows[2 * index : 2 * index + 2]
        length = max(map(len, rows)) + index
        token_ids = np.zeros((len(rows), length), "int32")
        for padded, row in zip(token_ids, rows, strict=True):
            padded[: len(row)] = row
        mask = np.arange(length) < np.array([[len(row)] for row in rows])
        y = np.array(LABELS[2 * index : 2 * index + 2])
        return {"token_ids": token_ids, "padding_mask": mask}, y


def sources(task):
    """The same examples in every form that a task takes, as arguments of `fit`."""
    strings = tf.data.Dataset.from_tensor_slices((TEXTS, LABELS)).batch(2)
    tokenised = task.preprocessor(TEXTS)
    return {
        "lists": {"x": TEXTS, "y": LABELS},
        "arrays": {"x": np.array(TEXTS), "y": np.array(LABELS)},
        "token ids": {"x": tokenised, "y": LABELS},
        "tf.data": {"x": strings},
        "tf.data of token ids": {
            "x": tf.data.Dataset.from_tensor_slices((tokenised, LABELS)).batch(2)
        },
        "PyDataset": {"x": Batches(task.preprocessor)},
    }


FORMS = ["arrays", "token ids", "tf.data", "tf.data of token ids", "PyDataset"]


@pytest.mark.long
@pytest.mark.parametrize("form", FORMS)
def test_evaluate_gives_the_same_for_every_form(task, form):
    expected = task.evaluate(**sources(task)["lists"], return_dict=True, verbose=0)
    received = task.evaluate(**sources(task)[form], return_dict=True, verbose=0)
    assert received == pytest.approx(expected, abs=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("form", FORMS)
def test_predict_gives_the_same_for_every_form(task, form):
    expected = task.predict(TEXTS, verbose=0)
    np.testing.assert_allclose(
        task.predict(sources(task)[form]["x"], verbose=0), expected, atol=1e-5
    )


@pytest.mark.long
@pytest.mark.parametrize("form", ["lists", *FORMS])
def test_fit_takes_one_and_the_same_step_for_every_form(task, form):
    weights = task.get_weights()
    whole = task.preprocessor(TEXTS)
    task.fit(whole, np.array(LABELS), batch_size=2, shuffle=False, verbose=0)
    expected = task.get_weights()
    task.set_weights(weights)
    batches = {} if "x" in form or "tf" in form or "Py" in form else {"batch_size": 2}
    task.fit(**sources(task)[form], **batches, shuffle=False, verbose=0)
    for received, wanted in zip(task.get_weights(), expected, strict=True):
        np.testing.assert_allclose(received, wanted, atol=1e-5)
    assert any(
        np.abs(a - b).max() > 1e-4 for a, b in zip(expected, weights, strict=True)
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("training", "validation"),
    [
        ("lists", "PyDataset"),
        ("PyDataset", "lists"),
        ("PyDataset", "tf.data"),
        ("tf.data", "PyDataset"),
    ],
)
def test_training_and_validation_data_may_differ_in_form(task, training, validation):
    data = sources(task)[validation]
    data = tuple(data.values()) if validation == "lists" else data["x"]
    history = task.fit(
        **sources(task)[training], validation_data=data, epochs=2, verbose=0
    ).history
    expected = task.evaluate(**sources(task)["lists"], return_dict=True, verbose=0)
    assert history["val_loss"][-1] == pytest.approx(expected["loss"], abs=1e-5)
    assert len(history["val_loss"]) == 2


@pytest.mark.long
def test_a_share_of_the_strings_may_validate(task):
    history = task.fit(TEXTS, LABELS, validation_split=0.4, verbose=0).history
    expected = task.evaluate(TEXTS[3:], LABELS[3:], return_dict=True, verbose=0)
    assert history["val_loss"] == pytest.approx([expected["loss"]], abs=1e-5)


@pytest.mark.long
def test_sample_weights_and_class_weights_count(task):
    plain = task.evaluate(TEXTS[:2], LABELS[:2], return_dict=True, verbose=0)["loss"]
    first = task.evaluate(
        TEXTS[:2], LABELS[:2], sample_weight=[1, 0], return_dict=True, verbose=0
    )["loss"]
    only = task.evaluate(TEXTS[:1], LABELS[:1], return_dict=True, verbose=0)["loss"]
    assert first == pytest.approx(only / 2, abs=1e-5)
    assert first != pytest.approx(plain, abs=1e-3)
    weights = task.get_weights()
    task.fit(TEXTS, LABELS, class_weight={0: 0.0, 1: 0.0}, verbose=0)
    for received, wanted in zip(task.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(received, wanted)


@pytest.mark.long
@pytest.mark.parametrize("method", ["fit", "evaluate", "validation"])
def test_labels_that_a_dataset_knows_are_checked(task, method):
    rows = task.preprocessor.tokenize_rows(TEXTS)
    wrong = LengthBucketed(rows, [0, 1, 7, 1, -1], batch_size=2)
    right = LengthBucketed(rows, LABELS, batch_size=2)
    with pytest.raises(ValueError, match="from 0 to 1, for 2 classes. Received: 7, -1"):
        if method == "validation":
            task.fit(right, validation_data=wrong, verbose=0)
        else:
            getattr(task, method)(wrong, verbose=0)
    assert len(task.predict(wrong, verbose=0)) == 5  # which needs no labels


def test_label_names_in_a_dataset_are_refused(gpt2_backbone):
    task = GPT2TextClassifier(gpt2_backbone, 2, label_names=["rotten", "fresh"])
    with pytest.raises(ValueError, match="numbers in a PyDataset. Received: label nam"):
        task.fit(LengthBucketed([[3], [4]], ["fresh", "rotten"]))
    with pytest.raises(ValueError, match="Received: 'fesh'"):
        task.fit(LengthBucketed([[3], [4]], ["fesh", "rotten"]))


@pytest.mark.long
def test_labels_of_several_heads_in_a_dataset_are_checked(gpt2_backbone, quick):
    task = attach_head(gpt2_backbone, {"a": DenseHead(2), "b": DenseHead(3)})
    task.compile(**quick)
    with pytest.raises(ValueError, match="for 2 classes. Received: 2"):
        task.fit(LengthBucketed([[3], [4]], {"a": [0, 2], "b": [0, 2]}))
    task.fit(LengthBucketed([[3], [4]], {"a": [0, 1], "b": [0, 2]}), verbose=0)


def test_strings_need_a_preprocessor(gpt2_backbone):
    task = GPT2TextClassifier(gpt2_backbone, 2)
    with pytest.raises(ValueError, match="no preprocessor.*list"):
        task.predict(["good"])


def test_other_keys_are_refused_wherever_they_come_in(task):
    batch = {**task.preprocessor(TEXTS), "segment_ids": np.zeros((5, 20), int)}
    received = r"\['padding_mask', 'segment_ids', 'token_ids'\]"
    with pytest.raises(ValueError, match=received):
        task.predict(batch)
    with pytest.raises(ValueError, match=received):
        task(batch)
    with pytest.raises(ValueError, match=r"\['token_ids'\]"):
        task.fit({"token_ids": batch["token_ids"]}, np.array(LABELS))


def test_what_is_no_text_is_named(task):
    with pytest.raises(TypeError, match="nan at index 1"):
        task.fit(["good", float("nan")], [1, 0])


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_a_call_without_labels_leaves_the_task_as_it_was(task, method):
    with pytest.raises(ValueError, match="Expected labels, one for each example"):
        getattr(task, method)(TEXTS)
    getattr(task, method)(TEXTS, LABELS, verbose=0)


def test_one_text_and_none_at_all_are_refused(task, gpt2_lm):
    for model, labels in ((task, [LABELS]), (gpt2_lm, [])):
        with pytest.raises(TypeError, match="Received: one, 'A treat.'; pass it in a"):
            model.fit("A treat.", *labels)
        with pytest.raises(ValueError, match="one example or more. Received: none"):
            model.fit([], *([[]] * len(labels)))
    for nothing in ([], np.zeros(0, object)):
        with pytest.raises(ValueError, match="one example or more. Received: none"):
            task.predict(nothing)
    with pytest.raises(ValueError, match="one example or more. Received: none"):
        task.fit(TEXTS, LABELS, validation_data=([], []))


@pytest.mark.parametrize("name", ["greedyy", "Greedy", ""])
def test_a_misspelt_sampler_is_refused(gpt2_lm, name):
    with pytest.raises(ValueError, match=f"'greedy', 'top_k'.*Received: '{name}'"):
        gpt2_lm.compile(sampler=name)


def test_lists_become_arrays_leaf_by_leaf():
    arrays = as_arrays({"a": [1, 2], "b": [0.5, 1.5], "c": None})
    assert arrays["a"].dtype.kind == "i"
    assert arrays["b"].dtype == np.float32
    assert arrays["c"] is None


def test_strings_keep_their_own_lengths():
    array = as_arrays(["a\0", "b" * 999])
    assert (array.dtype, array.tolist()) == (object, ["a\0", "b" * 999])


def test_texts_are_no_longer_than_the_longest_needs(gpt2_tokenizer, quick):
    backbone = GPT2Backbone(gpt2_tokenizer.vocabulary_size(), 1, 2, 8, 16, dropout=0)
    preprocessor = GPT2TextClassifierPreprocessor(gpt2_tokenizer, sequence_length=100)
    task = GPT2TextClassifier(backbone, 2, preprocessor, dropout=0)
    task.compile("sgd", **quick)
    texts = ["good film", "a slow start"]
    full = preprocessor(texts)
    assert full["token_ids"].shape == (2, 100)
    assert task.preprocess_samples(texts)["token_ids"].shape == (2, 32)
    assert task.preprocess_samples([*texts, "x" * 70])["token_ids"].shape == (3, 100)
    assert task.preprocess_samples(full)["token_ids"].shape == (2, 100)
    assert task.preprocess_samples("good film")["token_ids"].shape == (32,)
    received, expected = (task.predict(x, verbose=0) for x in (texts, full))
    np.testing.assert_allclose(received, expected, atol=1e-5)


@pytest.mark.long
def test_classes_are_weighed_by_their_names(gpt2_backbone, gpt2_tokenizer, quick):
    preprocessor = GPT2TextClassifierPreprocessor(gpt2_tokenizer, sequence_length=20)
    start, trained = None, []
    for weights in ({0: 1.0, 1: 5.0}, {"bad": 1.0, "good": 5.0}, None):
        task = GPT2TextClassifier(
            gpt2_backbone, 2, preprocessor, dropout=0, label_names=["bad", "good"]
        )
        start = start or task.get_weights()
        task.set_weights(start)
        task.compile(keras.optimizers.SGD(0.1), **quick)
        task.fit(TEXTS, LABELS, class_weight=weights, shuffle=False, verbose=0)
        trained.append(task.get_weights()[-1])
    np.testing.assert_allclose(trained[1], trained[0], atol=1e-6)
    assert np.abs(trained[2] - trained[0]).max() > 1e-3
    with pytest.raises(ValueError, match="Received.*fine"):
        task.fit(TEXTS, LABELS, class_weight={"fine": 2.0}, verbose=0)


@pytest.mark.long
def test_a_saved_model_goes_on_as_it_was_compiled(task, tmp_path):
    task.compile(keras.optimizers.Adam(0.01), jit_compile=False)
    task.fit(TEXTS, LABELS, shuffle=False, verbose=0)
    task.save(tmp_path / "task.keras")
    loaded = keras.saving.load_model(tmp_path / "task.keras")
    assert float(loaded.optimizer.learning_rate) == pytest.approx(0.01)
    for each in (task, loaded):
        each.fit(TEXTS, LABELS, shuffle=False, verbose=0)
    assert int(loaded.optimizer.iterations) == 2
    for expected, received in zip(
        task.get_weights(), loaded.get_weights(), strict=True
    ):
        np.testing.assert_allclose(received, expected, atol=1e-6)


def test_a_saved_language_model_has_its_sampler(gpt2_lm, tmp_path, quick):
    gpt2_lm.compile("sgd", sampler=BeamSearch(3, length_penalty=0.5), **quick)
    gpt2_lm.save(tmp_path / "lm.keras")
    loaded = keras.saving.load_model(tmp_path / "lm.keras")
    assert isinstance(loaded.sampler, BeamSearch)
    assert loaded.sampler.get_config() == gpt2_lm.sampler.get_config()


@pytest.mark.long
def test_a_rate_that_has_fallen_to_zero_is_told(task, quick):
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, 1, 0.0)
    task.compile(keras.optimizers.SGD(schedule), **quick)
    task.fit(TEXTS, LABELS, verbose=0)
    with pytest.warns(UserWarning, match="learning rate is 0 after 1 steps"):
        task.fit(TEXTS, LABELS, verbose=0)


@pytest.mark.parametrize("problem_type", ["multi_label_classification", "regression"])
def test_class_weights_are_for_classes_alone(gpt2_backbone, problem_type):
    head = DenseHead(2, problem_type=problem_type)
    task = attach_head(gpt2_backbone, head)
    task.compile("sgd")
    rows = {"token_ids": [[1, 2]], "padding_mask": [[1, 1]]}
    with pytest.raises(ValueError, match=f"sample_weight. Received.*{problem_type}"):
        task.fit(rows, [[1.0, 0.0]], class_weight={0: 2.0}, verbose=0)


@pytest.mark.long
def test_a_task_with_a_tokenizer_can_be_quantised(task):
    expected = task.predict(TEXTS, verbose=0)
    task.quantize("int8")
    received = task.predict(TEXTS, verbose=0)
    assert not np.array_equal(received, expected)
    np.testing.assert_allclose(received, expected, atol=0.1)
    batches = tf.data.Dataset.from_tensors(TEXTS)
    np.testing.assert_allclose(task.predict(batches, verbose=0), received, atol=1e-5)
