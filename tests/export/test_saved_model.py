"""Exports of small tasks, loaded again, against the live tasks."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_tasks import (
    HARD_TEXTS,
    make_bart,
    make_bert_classifier,
    make_classifier,
    make_language_model,
    make_m2m100,
    make_translator,
    sentences,
)

import kftune
from kftune.export import export_saved_model, verify

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow",
        reason="others export by a TensorFlow process, see test_tensorflow_process",
    ),
]


def export(task, folder, **options):
    """Exports a task; the signatures of what was written, and its folder."""
    written = export_saved_model(task, folder, warmup=False, **options)
    loaded = tf.saved_model.load(str(written))
    return {name: call(f) for name, f in loaded.signatures.items()}, written


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    """A translation model, its signatures, and the folder of its export."""
    task = make_translator(tmp_path_factory.mktemp("translator"))
    folder = tmp_path_factory.mktemp("serving") / "toy"
    return task, *export(task, folder, target_language="de")


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    task = make_language_model(tmp_path_factory.mktemp("gpt2"))
    return task, *export(task, tmp_path_factory.mktemp("serving") / "toy")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    task = make_classifier(tmp_path_factory.mktemp("gpt2"))
    return task, *export(task, tmp_path_factory.mktemp("serving") / "toy")


def call(signature):
    """Function of NumPy arrays and lists to NumPy arrays, text as `str`."""

    def run(**inputs):
        _, specs = signature.structured_input_signature
        tensors = {k: tf.constant(v, specs[k].dtype) for k, v in inputs.items()}
        return {name: as_text(x.numpy()) for name, x in signature(**tensors).items()}

    return run


def as_text(values):
    if values.dtype != object:
        return values
    return np.vectorize(lambda text: text.decode("utf-8"), otypes=[object])(values)


def test_translations_are_those_of_generate(translator):
    task, signatures, _ = translator
    texts = sentences(40)
    expected = task.generate(texts, target_language="de")
    assert signatures["serving_default"](text=texts)["translation"].tolist() == expected
    best = task.generate(
        texts, target_language="de", num_return_sequences=3, return_scores=True
    )
    answers = signatures["n_best"](text=texts)
    assert answers["translations"].tolist() == [[t for t, _ in row] for row in best]
    np.testing.assert_allclose(
        answers["scores"], [[s for _, s in row] for row in best], atol=1e-5
    )


def test_each_row_has_its_language_and_length(translator):
    task, signatures, _ = translator
    texts, codes, lengths = sentences(6), ["de", "en"] * 3, [4, 9, 30, 31, 32, 99]
    received = signatures["translate"](
        text=texts, target_language=codes, max_length=lengths
    )
    expected = [
        task.generate(text, target_language=code, max_length=min(length, 32))
        for text, code, length in zip(texts, codes, lengths, strict=True)
    ]
    assert received["translation"].tolist() == expected
    with pytest.raises(tf.errors.InvalidArgumentError, match="of: de, en.*fr"):
        signatures["translate"](text=["a"], target_language=["fr"], max_length=[9])


@pytest.mark.slow
def test_greedy_translations_stop_at_their_length(tmp_path):
    task = make_translator(tmp_path / "preset")
    task.compile(sampler="greedy", jit_compile=False)
    signatures, _ = export(task, tmp_path / "toy")
    assert "n_best" not in signatures
    texts, lengths = sentences(3), [5, 9, 32]
    received = signatures["translate"](
        text=texts, max_length=lengths, target_language=["de"] * 3
    )
    expected = [
        task.generate(text, max_length=length, target_language="de")
        for text, length in zip(texts, lengths, strict=True)
    ]
    assert received["translation"].tolist() == expected


def test_scores_of_translations(translator):
    task, signatures, _ = translator
    texts = sentences(4)
    targets = task.generate(texts, target_language="de")
    answers = signatures["score"](text=texts, target=targets)
    with kftune.models.into_language(task.preprocessor, texts, "de") as told:
        x, y, mask = task.preprocessor(told, targets)
    probabilities = keras.ops.softmax(task(x)).numpy()
    chosen = np.take_along_axis(probabilities, y[..., None], -1)[..., 0]
    expected = np.where(mask, np.log(chosen), 0).sum(-1)
    np.testing.assert_allclose(answers["log_prob"], expected, rtol=1e-4)
    np.testing.assert_array_equal(answers["num_tokens"], mask.sum(-1))


def test_completions_are_those_of_generate(language_model):
    task, signatures, _ = language_model
    texts = sentences(40)
    expected = task.generate(texts, strip_prompt=True)
    assert len(set(expected)) > 3
    assert signatures["serving_default"](text=texts)["completion"].tolist() == expected
    greedy = signatures["generate"](
        text=texts,
        max_new_tokens=[99] * 40,
        temperature=[0.0] * 40,
        top_k=[0] * 40,
        top_p=[1.0] * 40,
        seed=[0] * 40,
    )
    assert greedy["completion"].tolist() == expected


@pytest.mark.slow
def test_sampled_completions_depend_on_the_seed_alone(tmp_path):
    task = make_language_model(tmp_path)
    task.compile(sampler="top_p", jit_compile=False)
    signatures, folder = export(task, tmp_path / "toy")
    options = {"temperature": 1.0, "top_k": 0, "top_p": 0.9, "max_new_tokens": 9}

    def generate(texts, seeds):
        filled = {name: [value] * len(texts) for name, value in options.items()}
        answers = signatures["generate"](text=texts, seed=seeds, **filled)
        return answers["completion"].tolist()

    together = generate(["a", "the old man", "a"], [1, 2, 3])
    assert together[0] != together[2]
    assert generate(["the old man"], [2]) == together[1:2]
    first, again = (signatures["serving_default"](text=["a"]) for _ in range(2))
    assert first == again
    # What is drawn at random is nothing to compare with.
    answers = json.loads((folder / "assets.extra" / "expected.json").read_text())
    assert [case["signature"] for case in answers["cases"]] == ["score"]


def test_scores_of_texts(language_model):
    task, signatures, _ = language_model
    texts = sentences(5)
    answers = signatures["score"](text=texts)
    x, y, mask = task.preprocessor(texts)
    probabilities = keras.ops.softmax(task(x)).numpy()
    chosen = np.take_along_axis(probabilities, y[..., None], -1)[..., 0]
    expected = np.where(mask, np.log(chosen), 0).sum(-1)
    np.testing.assert_allclose(answers["log_prob"], expected, rtol=1e-4)


def test_probabilities_are_those_of_predict(classifier):
    task, signatures, folder = classifier
    texts = sentences(30)
    answers = signatures["serving_default"](text=texts)
    expected = keras.ops.softmax(task.predict(texts, verbose=0)).numpy()
    np.testing.assert_allclose(answers["probabilities"], expected, atol=1e-5)
    names = np.array(task.label_names)
    assert (answers["label"] == names[expected.argmax(1)]).all()
    assert (answers["label_names"] == names).all()
    assert signatures["embed"](text=texts)["embedding"].shape == (30, 16)
    case, _ = json.loads((folder / "assets.extra" / "expected.json").read_text())[
        "cases"
    ]
    again = signatures[case["signature"]](**case["inputs"])
    np.testing.assert_allclose(
        again["probabilities"], case["outputs"]["probabilities"], atol=1e-5
    )
    assert again["label"].tolist() == case["outputs"]["label"]


def test_several_heads_answer_side_by_side(tmp_path):
    task = make_bert_classifier()
    signatures, _ = export(task, tmp_path / "toy")
    texts = ["good films", "a film", ""]
    answers = signatures["serving_default"](text=texts)
    live = task.predict(texts, verbose=0)
    np.testing.assert_allclose(answers["values_stars"], live["stars"], atol=1e-5)
    np.testing.assert_allclose(
        answers["probabilities_tags"],
        keras.ops.sigmoid(live["tags"]).numpy(),
        atol=1e-5,
    )
    assert answers["label_names_tags"][0].tolist() == ["x", "y", "z"]
    assert answers["label_mood"].tolist() == [str(i) for i in live["mood"].argmax(1)]
    assert sorted(answers) == [
        "label_mood",
        "label_names_mood",
        "label_names_tags",
        "probabilities_mood",
        "probabilities_tags",
        "values_stars",
    ]


@pytest.mark.parametrize("kind", ["translator", "language_model", "classifier"])
def test_hard_texts_are_answered(kind, request):
    _, signatures, _ = request.getfixturevalue(kind)
    texts = [*(text.encode() for text in HARD_TEXTS), b"caf\xe9 \xff\xfe", b"\xe2\x82"]
    together = signatures["serving_default"](text=texts)
    for name, values in together.items():
        assert len(values) == len(texts)
        for row, text in enumerate(texts):
            alone = signatures["serving_default"](text=[text])[name][0]
            if values.dtype == object:
                assert np.array_equal(alone, values[row])
            else:
                np.testing.assert_allclose(alone, values[row], atol=1e-5)
    empty = signatures["serving_default"](text=np.zeros(0, object))
    assert all(len(values) == 0 for values in empty.values())


def test_a_long_prompt_loses_its_beginning(language_model):
    task, signatures, _ = language_model
    tokenizer = task.preprocessor.tokenizer
    text = " ".join(sentences(6))
    prompt = kftune.models.fast_tokenizer(tokenizer).encode(text).ids[-18:]
    mask = np.arange(24) < 18
    tokens_alone = kftune.models.GPT2CausalLM(task.backbone)
    tokens_alone.compile(sampler="greedy", jit_compile=False)
    rows = tokens_alone.generate(
        {
            "token_ids": np.pad([prompt], ((0, 0), (0, 6))),
            "padding_mask": mask[None].astype("int32"),
        },
        stop_token_ids=[tokenizer.end_token_id],
    )
    new = rows["token_ids"][0][rows["padding_mask"][0].astype(bool) & ~mask]
    new = [int(token) for token in new if token != tokenizer.end_token_id]
    answer = signatures["serving_default"](text=[text])["completion"]
    assert answer.tolist() == [tokenizer.detokenize(new)]


@pytest.mark.slow
@pytest.mark.parametrize("make", [make_m2m100, make_bart])
def test_other_encoder_decoders(make, tmp_path):
    task = make(tmp_path)
    texts = [*sentences(12), "", "naïve “Straße” …"]
    signatures, _ = export(task, tmp_path / "toy")
    expected = task.generate(texts)
    assert signatures["serving_default"](text=texts)["translation"].tolist() == expected
    assert len(set(expected)) > 3
    if make is make_m2m100:
        codes = ["de", "fr"] * 7
        received = signatures["translate"](
            text=texts, target_language=codes, max_length=[16] * 14
        )
        expected = [
            task.generate(text, target_language=code, max_length=16)
            for text, code in zip(texts, codes, strict=True)
        ]
        assert received["translation"].tolist() == expected


def test_what_cannot_be_exported_says_so(tmp_path):
    translator = make_translator(tmp_path / "preset")
    language_model = make_language_model(tmp_path / "gpt2")
    folder = tmp_path / "m"
    wrong = [
        (keras.Sequential(), {}, TypeError, "task of kftune.models.*Sequential"),
        (language_model, {"target_language": "de"}, ValueError, "encoder-decoder only"),
        (translator, {"target_language": "fr"}, ValueError, r"\['de', 'en'\].*'fr'"),
        (language_model, {"version": 0}, ValueError, "version of 1 or more"),
    ]
    for task, options, error, message in wrong:
        with pytest.raises(error, match=message):
            export_saved_model(task, folder, **options)
    language_model.preprocessor = None
    with pytest.raises(ValueError, match="with a preprocessor"):
        export_saved_model(language_model, folder)
    translator.compile(sampler="top_k")
    with pytest.raises(ValueError, match="nothing to chance.*TopKSampler"):
        export_saved_model(translator, folder)
    assert not folder.exists()


@pytest.mark.slow
@pytest.mark.parametrize("make", [make_translator, make_language_model])
def test_what_xla_compiles_answers_alike(make, tmp_path):
    task = make(tmp_path / "preset")
    texts = sentences(8)
    answers = []
    for xla in (False, True):
        signatures, _ = export(task, tmp_path / "toy", xla=xla)
        answers.append(signatures["serving_default"](text=texts))
    for name, values in answers[0].items():
        assert values.tolist() == answers[1][name].tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [make_language_model, make_classifier, make_translator]
)
def test_an_export_passes_every_check(make, tmp_path):
    task = make(tmp_path / "parts")
    task.save_to_preset(tmp_path / "preset")
    written = export_saved_model(task, tmp_path / "toy")
    report = verify(written, preset=tmp_path / "preset", calls=2)
    assert report.ok, report
    assert {outcome.status for outcome in report.outcomes.values()} == {"ok"}
