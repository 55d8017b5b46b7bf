"""Every class with a `from_preset` takes a preset of every kind."""

import inspect

import huggingface_hub
import pytest
import transformers
from hf_references import make_gpt2, make_reference
from translation_files import write_m2m100_files, write_marian_files

import kftune
from kftune.models import save_float16_preset
from kftune.models.pretrained import preset_catalog

# What only a GPT-2, and only an encoder-decoder, can be made of.
FAMILY = {
    "GPT2Backbone": "gpt2",
    "GPT2CausalLM": "gpt2",
    "GPT2CausalLMPreprocessor": "gpt2",
    "GPT2TextClassifier": "gpt2",
    "GPT2TextClassifierPreprocessor": "gpt2",
    "M2M100Tokenizer": "m2m100",
    "MarianTokenizer": "marian",
    "TextClassifier": "gpt2",
    "TextClassifierPreprocessor": "gpt2",
    "TransformerBackbone": "marian",
    "TransformerSeq2SeqLM": "marian",
    "TransformerSeq2SeqLMPreprocessor": "marian",
}
CLASSES = sorted(
    name
    for name in kftune.models.__all__
    if inspect.isclass(getattr(kftune.models, name))
    and hasattr(getattr(kftune.models, name), "from_preset")
)
OPTIONS = {"TextClassifier": {"num_classes": 2}, "GPT2TextClassifier": {"head": 2}}


def make(name, preset, **options):
    cls = getattr(kftune.models, name)
    return cls.from_preset(preset, offline=True, **OPTIONS.get(name, {}), **options)


@pytest.fixture(scope="module")
def hugging_face(tmp_path_factory, bpe_folder):
    """Folders that transformers wrote, by model."""
    root = tmp_path_factory.mktemp("hugging_face")
    for name in ("files", "m2m100_files"):
        (root / name).mkdir()
    files = [str(bpe_folder / name) for name in ("vocabulary.json", "merges.txt")]
    found = {
        "gpt2": (
            make_gpt2(vocab_size=400, bos_token_id=0, eos_token_id=0),
            transformers.GPT2Tokenizer(vocab=files[0], merges=files[1]),
        )
    }
    tokenizer = transformers.MarianTokenizer.from_pretrained(
        write_marian_files(root / "files")
    )
    pad = tokenizer.pad_token_id
    ids = {"pad_token_id": pad, "decoder_start_token_id": pad}
    model = make_reference("marian", vocab_size=len(tokenizer), **ids)
    found["marian"] = (model, tokenizer)
    tokenizer = transformers.M2M100Tokenizer.from_pretrained(
        write_m2m100_files(root / "m2m100_files"), src_lang="en", tgt_lang="de"
    )
    size = len(tokenizer.encoder) + 108  # languages, and unused rows
    found["m2m100"] = (make_reference("m2m_100", vocab_size=size), tokenizer)
    for name, (model, tokenizer) in found.items():
        model.save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
    return {name: root / name for name in found}


@pytest.fixture(scope="module")
def saved(hugging_face):
    """Folders that kftune wrote; that of GPT-2 is a preset of KerasHub's."""
    folders = {name: folder / "saved" for name, folder in hugging_face.items()}
    for name, folder in hugging_face.items():
        cls = "GPT2CausalLM" if name == "gpt2" else "TransformerSeq2SeqLM"
        make(cls, folder).save_to_preset(folders[name])
    return folders


def test_all_classes_are_known_here():
    assert sorted(FAMILY) == CLASSES


@pytest.mark.parametrize("name", CLASSES)
def test_a_hugging_face_folder(name, hugging_face):
    assert isinstance(
        make(name, hugging_face[FAMILY[name]]), getattr(kftune.models, name)
    )


@pytest.mark.long
@pytest.mark.parametrize("name", CLASSES)
def test_a_folder_that_kftune_or_keras_hub_wrote(name, saved):
    assert isinstance(make(name, saved[FAMILY[name]]), getattr(kftune.models, name))


@pytest.mark.parametrize("name", CLASSES)
def test_a_name_on_the_hub(name, hugging_face, monkeypatch):
    asked = []

    def download(repository, allow_patterns, local_files_only):
        asked.append((repository, local_files_only))
        return str(hugging_face[FAMILY[name]])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert isinstance(make(name, "hf://owner/name"), getattr(kftune.models, name))
    assert set(asked) == {("owner/name", True)}


@pytest.mark.long
@pytest.mark.parametrize("name", [x for x in FAMILY if FAMILY[x] == "gpt2"])
def test_a_shipped_name(name, gpt2_lm, tmp_path, monkeypatch):
    monkeypatch.setattr(preset_catalog, "SHIPPED_FOLDER", tmp_path)
    save_float16_preset(gpt2_lm, tmp_path / "tiny_en")
    assert isinstance(make(name, "tiny_en"), getattr(kftune.models, name))


@pytest.mark.parametrize("name", CLASSES)
def test_offline_says_what_is_missing(name, tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="gpt2_base_en.*offline=True"):
        make(name, "gpt2_base_en")


@pytest.mark.parametrize(
    ("name", "other", "message"),
    [
        ("GPT2Backbone", "marian", "Expected a GPT2Backbone.*TransformerBackbone"),
        ("TransformerBackbone", "gpt2", "Expected a TransformerBackbone.*GPT2Backbone"),
        ("MarianTokenizer", "gpt2", "Expected a MarianTokenizer.*GPT2Tokenizer"),
        ("M2M100Tokenizer", "marian", "Expected a M2M100Tokenizer.*MarianTokenizer"),
        ("GPT2CausalLMPreprocessor", "marian", "a GPT2Tokenizer.*MarianTokenizer"),
    ],
)
def test_another_model_is_refused(name, other, message, hugging_face):
    with pytest.raises(ValueError, match=message):
        make(name, hugging_face[other])


def test_what_was_saved_comes_back_but_for_what_is_asked(saved, tmp_path):
    task = make("GPT2CausalLM", saved["gpt2"], sequence_length=9)
    task.preprocessor.add_start_token = False
    task.save_to_preset(tmp_path)
    pack = make("GPT2CausalLMPreprocessor", tmp_path)
    assert (pack.sequence_length, pack.add_start_token) == (9, False)
    pack = make("GPT2CausalLMPreprocessor", tmp_path, add_start_token=True)
    assert (pack.sequence_length, pack.add_start_token) == (9, True)
