import time

import keras_hub
import pytest
import transformers

from kftune.models.byte_level_bpe import byte_level_bpe

ODD_TEXTS = [
    "The film isn't bad, they've said.",
    "DON'T  IT'S we'LL",
    "line\n\nbreak\n x \n\n\n y",
    "tab\tx\t\ty  two   three",
    " leading and trailing  ",
    "nb\u00a0sp \u3000wide \u2009thin",
    "1999 100,000 $3.50 12345678901",
    "naïve café \u2013 “quoted” …",
    "日本語 текст ελληνικά हिन्दी ६",
    "emoji 😀👍🏽 e\u0301 combining a\u200bb",
    "nul \x00 and \x07 bell \ufeff bom",
    "<|endoftext|> inside<|endoftext|>",
    "foo_bar-baz A.B.C !!!...???",
    "\r\nwindows\r\n",
    "",
    "   ",
    "\n",
]


@pytest.fixture(scope="module")
def reference(bpe_folder):
    return transformers.GPT2Tokenizer(
        vocab=str(bpe_folder / "vocabulary.json"), merges=str(bpe_folder / "merges.txt")
    )


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_ids_are_those_of_transformers(gpt2_tokenizer, reference, text):
    ids = byte_level_bpe(gpt2_tokenizer).encode(text).ids
    assert ids == reference(text)["input_ids"]


def test_the_header_of_the_merges_file_is_no_rule(gpt2_tokenizer, reference):
    merges = ["#version: 0.2", *gpt2_tokenizer.merges]
    vocabulary = dict(gpt2_tokenizer.vocabulary)
    with_header = keras_hub.models.GPT2Tokenizer(vocabulary, merges)
    ids = byte_level_bpe(with_header).encode(ODD_TEXTS[0]).ids
    assert ids == reference(ODD_TEXTS[0])["input_ids"]


def test_one_very_long_word_is_quick(gpt2_tokenizer):
    bpe = byte_level_bpe(gpt2_tokenizer)
    began = time.perf_counter()
    ids = bpe.encode("film" * 250_000).ids
    assert time.perf_counter() - began < 10
    assert bpe.decode(ids, skip_special_tokens=False).replace(" ", "")


def test_without_a_vocabulary_it_says_so():
    with pytest.raises(ValueError, match="GPT2Tokenizer"):
        byte_level_bpe(keras_hub.models.GPT2Tokenizer())
