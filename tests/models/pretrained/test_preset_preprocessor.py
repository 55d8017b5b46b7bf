"""Preprocessors come from everything that a task comes from."""

import keras_hub
import pytest
import transformers

from kftune.models import (
    GPT2TextClassifierPreprocessor,
    TextClassifierPreprocessor,
    attach_head,
    load_preprocessor,
    save_float16_preset,
)
from kftune.models.pretrained import preset_catalog

BOTH = [GPT2TextClassifierPreprocessor, TextClassifierPreprocessor]
TEXT = "a good film"


@pytest.fixture
def shipped(gpt2_lm, tmp_path, monkeypatch):
    """The name of a shipped preset."""
    monkeypatch.setattr(preset_catalog, "SHIPPED_FOLDER", tmp_path)
    save_float16_preset(gpt2_lm, tmp_path / "tiny_en")
    return "tiny_en"


@pytest.fixture
def hugging_face(bpe_folder, tmp_path):
    """A folder with the tokenizer and config of a Hugging Face GPT-2."""
    transformers.GPT2Config(vocab_size=400).save_pretrained(tmp_path)
    files = {"vocab.json": "vocabulary.json", "merges.txt": "merges.txt"}
    for name, ours in files.items():
        (tmp_path / name).write_text((bpe_folder / ours).read_text("utf-8"), "utf-8")
    return tmp_path


@pytest.fixture
def bert(make_backbone, tmp_path):
    """A folder with a saved classifier on a BERT."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]
    pack = TextClassifierPreprocessor(keras_hub.models.BertTokenizer(words), 9)
    attach_head(make_backbone("Bert"), 2, pack).save_to_preset(tmp_path / "bert")
    return tmp_path / "bert"


def row(preprocessor):
    return preprocessor.tokenize_rows([TEXT])[0].tolist()


@pytest.mark.parametrize("cls", BOTH)
def test_a_shipped_name(cls, shipped, gpt2_tokenizer):
    pack = cls.from_preset(shipped, sequence_length=12, offline=True)
    assert type(pack) is GPT2TextClassifierPreprocessor
    end = gpt2_tokenizer.end_token_id
    assert row(pack) == [end, *gpt2_tokenizer.tokenize(TEXT), end]
    assert row(pack) == row(load_preprocessor(shipped, sequence_length=12))


@pytest.mark.parametrize("cls", BOTH)
def test_a_hugging_face_folder_goes_without_start_and_end(
    cls, hugging_face, gpt2_tokenizer
):
    pack = cls.from_preset(hugging_face, sequence_length=12)
    assert row(pack) == list(gpt2_tokenizer.tokenize(TEXT))
    pack = cls.from_preset(hugging_face, sequence_length=12, add_end_token=True)
    assert row(pack)[-1] == gpt2_tokenizer.end_token_id != row(pack)[0]


def test_a_saved_one_comes_back_but_for_what_is_asked(bert):
    pack = TextClassifierPreprocessor.from_preset(bert)
    assert (pack.sequence_length, pack.truncate) == (9, "right")
    pack = TextClassifierPreprocessor.from_preset(
        str(bert), sequence_length=4, truncate="left", add_start_token=False
    )
    assert (pack.sequence_length, pack.truncate) == (4, "left")
    assert pack.tokenize_rows(["a b c d"])[0].tolist() == [6, 7, 8, 3]


def test_the_tokenizer_of_another_model_is_refused(bert):
    with pytest.raises(ValueError, match="Expected a GPT2Tokenizer.*BertTokenizer"):
        GPT2TextClassifierPreprocessor.from_preset(bert)


def test_broken_files_are_one_clear_error(shipped, tmp_path):
    (tmp_path / shipped / "tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match=f"{shipped}. Nothing was loaded"):
        TextClassifierPreprocessor.from_preset(shipped)
