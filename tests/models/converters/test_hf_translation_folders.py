import json
import shutil
import sys

import pytest
import torch
import transformers
from hf_references import make_reference
from translation_files import SOURCE, TARGET, write_m2m100_files, write_marian_files

from kftune.models.converters.hf_m2m100 import read_m2m100_tokenizer
from kftune.models.pretrained.preset_folders import load_backbone
from kftune.models.pretrained.preset_tokenizers import load_tokenizer

pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")


def read(path):
    return json.loads(path.read_text("utf-8"))


def change(path, **content):
    path.write_text(json.dumps({**read(path), **content}), "utf-8")


@pytest.fixture(scope="module")
def marian_model(tmp_path_factory):
    """A complete OPUS-MT-like folder."""
    folder = write_marian_files(tmp_path_factory.mktemp("marian"))
    vocabulary = read(folder / "vocab.json")
    pad = vocabulary["<pad>"]
    make_reference(
        "marian",
        vocab_size=len(vocabulary),
        pad_token_id=pad,
        decoder_start_token_id=pad,
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def marian(marian_model, tmp_path):
    """A copy that may be spoilt."""
    return shutil.copytree(marian_model, tmp_path / "marian")


@pytest.fixture
def m2m100(tmp_path):
    write_m2m100_files(tmp_path)
    languages = 100
    size = len(read(tmp_path / "vocab.json")) + languages
    make_reference("m2m_100", vocab_size=size).save_pretrained(tmp_path)
    settings = {"src_lang": "en", "tgt_lang": "de"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    return tmp_path


def write_bart(bpe_folder, folder, **settings):
    """Vocabulary, merges and `config.json` of a small BART."""
    words = read(bpe_folder / "vocabulary.json")
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *words, "<mask>"]
    ids = {token: i for i, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(ids), "utf-8")
    shutil.copy(bpe_folder / "merges.txt", folder)
    config = {"model_type": "bart", "vocab_size": len(tokens), **settings}
    (folder / "config.json").write_text(json.dumps(config))


def test_marian_special_tokens_are_those_of_the_checkpoint(marian):
    tokenizer = load_tokenizer(marian)
    pad, end = tokenizer.pad_token_id, tokenizer.end_token_id
    assert tokenizer.target_start_ids == [pad]
    change(marian / "config.json", decoder_start_token_id=end)
    assert load_tokenizer(marian).target_start_ids == [end]


def test_special_tokens_outside_the_vocabulary_are_named(marian):
    change(marian / "config.json", pad_token_id=58100)
    with pytest.raises(ValueError, match=r"pad_token_id.*vocabulary.*58100"):
        load_tokenizer(marian)


def test_a_vocabulary_larger_than_the_embedding_is_named(marian):
    size = read(marian / "config.json")["vocab_size"]
    change(marian / "vocab.json", extra=size)
    with pytest.raises(ValueError, match=f"at most {size} tokens.*1 more: 'extra'"):
        load_tokenizer(marian)


def test_a_source_vocabulary_larger_than_the_embedding_is_named(marian):
    size = read(marian / "config.json")["vocab_size"]
    shutil.copy(marian / "vocab.json", marian / "target_vocab.json")
    change(marian / "vocab.json", extra=size)
    settings = json.dumps({"separate_vocabs": True})
    (marian / "tokenizer_config.json").write_text(settings, "utf-8")
    with pytest.raises(ValueError, match=f"source vocab.*up to {size}"):
        load_tokenizer(marian)


@pytest.mark.parametrize("name", ["source.spm", "vocab.json", "config.json"])
def test_missing_files_are_named(marian, name):
    (marian / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        load_tokenizer(marian)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_truncated_weights_are_one_clear_error(marian, name):
    if name == "pytorch_model.bin":
        model = transformers.MarianMTModel.from_pretrained(marian)
        (marian / "model.safetensors").unlink()
        torch.save(model.state_dict(), marian / name)
    content = (marian / name).read_bytes()
    (marian / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=f"{marian}.*Nothing was loaded"):
        load_backbone(marian)


def test_weights_in_several_pytorch_files(marian):
    model = transformers.MarianMTModel.from_pretrained(marian)
    expected = load_backbone(marian).get_weights()
    (marian / "model.safetensors").unlink()
    state = list(model.state_dict().items())
    files = {}
    for part, tensors in enumerate((state[:20], state[20:])):
        name = f"pytorch_model-{part}.bin"
        torch.save(dict(tensors), marian / name)
        files |= {tensor: name for tensor, _ in tensors}
    index = {"weight_map": files}
    (marian / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    weights = load_backbone(marian).get_weights()
    for weight, wanted in zip(weights, expected, strict=True):
        assert (weight == wanted).all()


def test_a_missing_pytorch_is_named(marian, monkeypatch):
    (marian / "model.safetensors").rename(marian / "pytorch_model.bin")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError, match="pytorch_model.bin needs PyTorch"):
        load_backbone(marian)


def test_weights_of_another_model_are_refused(marian, m2m100):
    shutil.copy(m2m100 / "model.safetensors", marian)
    with pytest.raises(ValueError) as error:
        load_backbone(marian)
    for message in (
        "Nothing was loaded",
        "model.encoder.layer_norm.weight: expected no such tensor",
        "model.shared.weight: expected",
    ):
        assert message in str(error.value)


def test_bart_with_another_start_token_is_refused(bpe_folder, tmp_path):
    write_bart(bpe_folder, tmp_path, decoder_start_token_id=0)
    with pytest.raises(ValueError, match="decoder_start_token_id=0"):
        load_tokenizer(tmp_path)


def test_bart_may_lack_a_row_for_its_mask(bpe_folder, tmp_path):
    """As the summarisers that were published: 50264 rows, and <mask> is 50264."""
    write_bart(bpe_folder, tmp_path, decoder_start_token_id=2)
    config = read(tmp_path / "config.json")
    assert "<mask>" in load_tokenizer(tmp_path).unsplittable_tokens
    change(tmp_path / "config.json", vocab_size=config["vocab_size"] - 1)
    assert "<mask>" not in load_tokenizer(tmp_path).unsplittable_tokens
    change(tmp_path / "config.json", vocab_size=config["vocab_size"] - 2)
    with pytest.raises(ValueError, match="Received 1 more"):
        load_tokenizer(tmp_path)


def test_m2m100_languages_follow_the_vocabulary(m2m100):
    reference = transformers.M2M100Tokenizer.from_pretrained(
        m2m100, src_lang="fr", tgt_lang="de"
    )
    tokenizer = load_tokenizer(m2m100)
    assert (tokenizer.source_language, tokenizer.target_language) == ("en", "de")
    tokenizer.source_language = "fr"
    rows = [
        tokenizer.source_start_ids + row + tokenizer.source_end_ids
        for row in tokenizer(SOURCE)
    ]
    assert rows == reference(SOURCE)["input_ids"]
    assert len(tokenizer.language_tokens) == 100
    codes = {**reference.lang_code_to_id}
    for code, token in tokenizer.language_tokens.items():
        assert tokenizer.token_to_id(token) == codes[code]


def test_nllb_with_tokenizer_json_or_a_list_of_languages(tmp_path):
    write_m2m100_files(tmp_path)
    size = len(read(tmp_path / "vocab.json"))
    (tmp_path / "vocab.json").unlink()
    languages = ["ace_Latn", "deu_Latn", "eng_Latn"]
    with pytest.raises(ValueError, match="eng_Latn.*Received: none"):
        read_m2m100_tokenizer(tmp_path)
    tokens = {"additional_special_tokens": [languages[0], {"content": languages[1]}]}
    tokens["additional_special_tokens"].append(languages[2])
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(tokens))
    settings = {"src_lang": "eng_Latn", "tgt_lang": "deu_Latn"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    tokenizer = read_m2m100_tokenizer(tmp_path)
    # As in the published checkpoints: vocabulary, languages, <mask>.
    assert tokenizer.source_start_ids == [size + 2]
    assert tokenizer.target_start_ids == [2, size + 1]
    assert tokenizer.token_to_id("<mask>") == size + 3
    listed = tokenizer(SOURCE + TARGET)

    fast = transformers.NllbTokenizer.from_pretrained(
        tmp_path, extra_special_tokens=languages
    )
    fast.save_pretrained(tmp_path / "fast")
    shutil.copy(tmp_path / "sentencepiece.bpe.model", tmp_path / "fast")
    change(tmp_path / "fast" / "tokenizer_config.json", legacy_behaviour=True)
    tokenizer = read_m2m100_tokenizer(tmp_path / "fast")
    assert set(tokenizer.language_tokens) == set(languages)
    assert tokenizer(SOURCE + TARGET) == listed
    english = fast.convert_tokens_to_ids("eng_Latn")
    assert tokenizer.source_end_ids == [2, english]


def test_a_truncated_sentence_piece_model_is_named(m2m100):
    path = m2m100 / "sentencepiece.bpe.model"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="Received: .*200 bytes"):
        load_tokenizer(m2m100)
    (m2m100 / "vocab.json").unlink()
    with pytest.raises(ValueError, match=r"sentencepiece.bpe.model is broken"):
        load_tokenizer(m2m100)


def test_a_folder_without_sentence_piece_says_where_it_is(m2m100):
    (m2m100 / "sentencepiece.bpe.model").unlink()
    with pytest.raises(FileNotFoundError, match="copy it from the checkpoint"):
        load_tokenizer(m2m100)
