"""What CTranslate2 gets, against the live tasks; the comparison can fail, too."""

import json
import sys

import keras_hub
import numpy as np
import pytest
import sentencepiece
from hf_references import make_reference
from small_tasks import (
    make_classifier,
    make_gpt2_tokenizer,
    make_language_model,
    make_translator,
    sentences,
)
from toy_sentences import toy_sentences

import kftune
from kftune.export import ctranslate2_model, export_ctranslate2
from kftune.export.greedy_rows import greedy_rows
from kftune.export.sample_answers import SAMPLES
from kftune.models import (
    DecodingSettings,
    TransformerSeq2SeqLM,
    TransformerSeq2SeqLMPreprocessor,
)
from kftune.models.pretrained.preset_folders import load_decoding_settings

ctranslate2 = pytest.importorskip(
    "ctranslate2", reason="hand-offs to CTranslate2 need the extra ctranslate2"
)


pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "ct2"


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    """A random Marian of two languages, whose translations differ."""
    return randomised(make_translator(tmp_path_factory.mktemp("translator")))


def randomised(task):
    rng = np.random.default_rng(0)
    for weight in task.backbone.weights:
        weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    return task


def make_bart(folder):
    """A random BART of transformers, as a task."""
    vocabulary = dict(make_gpt2_tokenizer(folder).vocabulary)
    vocabulary.pop("<|endoftext|>")
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *vocabulary, "<mask>"]
    ids = {token: i for i, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(ids), "utf-8")
    make_reference("bart", vocab_size=len(tokens)).save_pretrained(folder)
    return TransformerSeq2SeqLM(
        kftune.models.load_backbone(folder),
        TransformerSeq2SeqLMPreprocessor(
            keras_hub.models.BartTokenizer(ids, str(folder / "merges.txt")), 32, 32
        ),
        load_decoding_settings(folder),
    )


@pytest.mark.long
def test_marian_as_a_user_runs_it(translator, folder):
    sampler = translator.sampler
    done = export_ctranslate2(translator, folder)
    assert done.folder == folder
    assert done.parity.startswith("16 of 16 greedy translations have the same tokens")
    assert translator.sampler is sampler
    source, target = (
        sentencepiece.SentencePieceProcessor(model_file=str(folder / name))
        for name in ("source.spm", "target.spm")
    )
    texts = sentences(5, seed=2)
    rows = [[">>de<<", *source.encode(text, out_type=str), "</s>"] for text in texts]
    outputs = ctranslate2.Translator(str(folder)).translate_batch(
        rows, beam_size=1, max_decoding_length=31
    )
    found = [target.decode(output.hypotheses[0]) for output in outputs]
    translator.compile(sampler="greedy", jit_compile=False)
    expected = translator.generate(texts, target_language="de")
    assert [text.split() for text in found] == [text.split() for text in expected]
    assert len(set(expected)) > 1


@pytest.mark.long
def test_tokens_that_never_occur(translator, folder):
    """What would be the likeliest token is banned; CTranslate2 is not told again."""
    inputs = translator.preprocessor.generate_preprocess(sentences(8, seed=3))
    (row, *_) = greedy_rows(translator, inputs, [0])
    settings = DecodingSettings(bad_words_ids=[[row[0]]])
    task = TransformerSeq2SeqLM(translator.backbone, translator.preprocessor, settings)
    task.compile(jit_compile=False)
    (other, *_) = greedy_rows(task, inputs, [0])
    assert row[0] not in other
    assert "16 of 16" in export_ctranslate2(task, folder).parity


def test_bart_starts_with_two_tokens(tmp_path, folder):
    task = make_bart(tmp_path)
    task.compile(jit_compile=False)
    assert "8 of 8 greedy translations" in export_ctranslate2(task, folder).parity


def test_a_target_with_a_vocabulary_of_its_own(translator, folder):
    sources, targets = zip(*toy_sentences(300, 4), strict=True)
    other = kftune.models.train_marian_tokenizer(targets, sources, 300)
    task = randomised(kftune.models.with_new_target(translator, other))
    task.compile(jit_compile=False)
    assert "same tokens" in export_ctranslate2(task, folder).parity
    source, target = (
        json.loads((folder / f"{side}_vocabulary.json").read_text("utf-8"))
        for side in ("source", "target")
    )
    assert source != target


def test_gpt2(tmp_path, folder):
    task = make_language_model(tmp_path)
    assert "8 of 8 greedy completions" in export_ctranslate2(task, folder).parity
    assert (folder / "tokenizer.json").exists()


def test_other_tokens_are_an_error_and_leave_nothing(translator, folder, monkeypatch):
    save = kftune.models.save_to_hugging_face

    def save_another(task, path):
        weight = task.backbone.weights[0]
        before = weight.numpy()
        weight.assign(before[::-1])
        save(task, path)
        weight.assign(before)
        return path

    monkeypatch.setattr(ctranslate2_model, "save_to_hugging_face", save_another)
    with pytest.raises(ValueError) as error:
        export_ctranslate2(translator, folder)
    assert "greedy translations of 16 texts. Received: others for" in str(error.value)
    assert f"{SAMPLES[0]!r} into de" in str(error.value)
    assert not folder.exists()


def test_a_full_folder_is_left_alone(translator, folder):
    folder.mkdir()
    (folder / "notes.txt").touch()
    with pytest.raises(FileExistsError, match=f"an empty folder. Received: {folder}"):
        export_ctranslate2(translator, folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_classifier_is_refused(tmp_path, folder):
    with pytest.raises(TypeError, match="Received: GPT2TextClassifier"):
        export_ctranslate2(make_classifier(tmp_path), folder)


def test_a_missing_package_is_named(translator, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"pip install 'kftune\[ctranslate2\]'"
    ):
        export_ctranslate2(translator, folder)
    assert not folder.exists()
