import json

import keras
import pytest
import transformers
from translation_files import HARD, SOURCE, TARGET, pieces, write_m2m100_files

from kftune.models.tokenizers.m2m100_tokenizer import M2M100Tokenizer

LANGUAGES = ["de", "en", "fr"]
TOKENS = {code: f"__{code}__" for code in LANGUAGES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_m2m100_files(tmp_path_factory.mktemp("m2m100"))


@pytest.fixture
def reference(folder, monkeypatch):
    """transformers takes its languages from a list of its own; ours is shorter."""
    codes = transformers.models.m2m_100.tokenization_m2m_100.FAIRSEQ_LANGUAGE_CODES
    monkeypatch.setitem(codes, "m2m100", LANGUAGES)
    return transformers.M2M100Tokenizer.from_pretrained(
        folder,
        src_lang="en",
        tgt_lang="de",
        extra_special_tokens=list(TOKENS.values()),
    )


@pytest.fixture
def tokenizer(folder):
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    vocabulary |= {
        token: len(vocabulary) + i for i, token in enumerate(TOKENS.values())
    }
    proto = (folder / "sentencepiece.bpe.model").read_bytes()
    return M2M100Tokenizer(proto, vocabulary, TOKENS, "en", "de")


def source_rows(tokenizer, texts):
    start, end = tokenizer.source_start_ids, tokenizer.source_end_ids
    return [start + row + end for row in tokenizer(texts)]


@pytest.mark.backend
def test_rows_are_those_of_transformers(tokenizer, reference):
    texts = SOURCE + HARD + TARGET + ["a __fr__ b"]
    expected = [reference(text)["input_ids"] for text in texts]
    assert source_rows(tokenizer, texts) == expected
    expected = [reference(text_target=text)["input_ids"] for text in texts]
    start, end = tokenizer.target_start_ids, tokenizer.target_end_ids
    rows = [start + row + end for row in tokenizer.tokenize_target(texts)]
    assert [row[1:] for row in rows] == expected
    assert start[0] == reference.eos_token_id  # where transformers shifts the labels
    expected = [reference.decode(row, skip_special_tokens=True) for row in rows]
    assert tokenizer.detokenize(rows) == expected


def test_languages_can_be_changed(tokenizer, reference):
    tokenizer.source_language = "fr"
    reference.src_lang = "fr"
    expected = [reference(text)["input_ids"] for text in SOURCE]
    assert source_rows(tokenizer, SOURCE) == expected


def test_special_tokens(tokenizer):
    ids = [tokenizer.token_to_id(token) for token in TOKENS.values()]
    assert set(ids) < set(tokenizer.special_token_ids)
    assert tokenizer.vocabulary_size() == max(ids) + 1
    assert tokenizer.detokenize([*ids, 0, 1, 2, 3]) == ""


def test_nllb_puts_languages_first_or_last(folder):
    """Ids as published: one more than SentencePiece's, then the languages."""
    proto = (folder / "sentencepiece.bpe.model").read_bytes()
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *pieces(proto)[3:]]
    languages = ["deu_Latn", "eng_Latn"]
    vocabulary = {t: i for i, t in enumerate([*tokens, *languages, "<mask>"])}
    fast = transformers.NllbTokenizer.from_pretrained(
        folder, extra_special_tokens=languages
    )
    ours = {code: code for code in languages}
    for last in (False, True):
        tokenizer = M2M100Tokenizer(
            proto, vocabulary, ours, *languages[::-1], source_language_last=last
        )
        english, end = vocabulary["eng_Latn"], vocabulary["</s>"]
        for text, row in zip(SOURCE, source_rows(tokenizer, SOURCE), strict=True):
            ids = fast(text, add_special_tokens=False)["input_ids"]
            expected = [*ids, end, english] if last else [english, *ids, end]
            assert row == expected
        assert tokenizer.target_start_ids == [end, vocabulary["deu_Latn"]]


def test_a_preset_keeps_it(tokenizer, tmp_path):
    tokenizer.save_to_preset(str(tmp_path))
    saved = json.loads((tmp_path / "tokenizer.json").read_text())
    again = keras.saving.deserialize_keras_object(saved)
    again.load_preset_assets(str(tmp_path))
    assert source_rows(again, SOURCE) == source_rows(tokenizer, SOURCE)
    assert again.get_config() == tokenizer.get_config()


def test_unknown_languages_are_named(tokenizer):
    with pytest.raises(ValueError, match=r"\['de', 'en', 'fr'\]. Received: 'tlh'"):
        tokenizer.target_language = "tlh"


def test_a_missing_language_is_named(tokenizer):
    tokenizer.target_language = None
    with pytest.raises(ValueError, match=r"set tokenizer.target_language.*None"):
        _ = tokenizer.target_start_ids
