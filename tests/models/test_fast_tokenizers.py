import keras_hub
import pytest
import transformers
from translation_files import needs_data, real_lines

from kftune.models.fast_tokenizers import byte_level_bpe, fast_tokenizer
from kftune.models.gpt2.gpt2_tokenizer_trainer import train_gpt2_tokenizer

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
def test_gpt2_ids_are_those_of_transformers(gpt2_tokenizer, reference, text):
    ids = fast_tokenizer(gpt2_tokenizer).encode(text).ids
    assert ids == reference(text)["input_ids"]


@pytest.mark.large
@needs_data
def test_gpt2_ids_of_real_text_are_those_of_transformers(tmp_path):
    texts = [text for lang in ("en", "de") for text in real_lines(lang, 2000)]
    folder = train_gpt2_tokenizer(texts[::2], tmp_path, vocabulary_size=2000)
    files = [str(folder / name) for name in ("vocabulary.json", "merges.txt")]
    ours = fast_tokenizer(keras_hub.models.GPT2Tokenizer(*files)).encode_batch(texts)
    theirs = transformers.GPT2Tokenizer(vocab=files[0], merges=files[1])(texts)
    assert [row.ids for row in ours] == theirs["input_ids"]


def test_the_header_of_the_merges_file_is_no_rule(gpt2_tokenizer, reference):
    merges = ["#version: 0.2", *gpt2_tokenizer.merges]
    vocabulary = dict(gpt2_tokenizer.vocabulary)
    with_header = keras_hub.models.GPT2Tokenizer(vocabulary, merges)
    ids = fast_tokenizer(with_header).encode(ODD_TEXTS[0]).ids
    assert ids == reference(ODD_TEXTS[0])["input_ids"]


def test_words_of_more_than_256_bytes_are_merged_in_pieces(gpt2_tokenizer, reference):
    def theirs(text):
        return reference(text)["input_ids"]

    bpe = fast_tokenizer(gpt2_tokenizer)
    # The space and 85 characters of three bytes are 256 bytes.
    for text in ("the" * 85, "the" * 85 + "s", "1" * 256, " " + "日" * 85):
        assert bpe.encode(text).ids == theirs(text)
    text = "x" + "film" * 64  # the cut is in a token
    assert bpe.encode(text).ids == theirs(text[:256]) + theirs(text[256:])
    assert bpe.encode(text).ids != theirs(text)
    whole = byte_level_bpe(gpt2_tokenizer, longest_word=None)
    assert whole.encode(text).ids == theirs(text)


def test_a_word_of_a_million_letters_is_merged_as_a_short_one(gpt2_tokenizer):
    # KerasHub's own merging is quadratic and would not come to an end here.
    bpe = fast_tokenizer(gpt2_tokenizer)
    assert bpe.encode("filmfilm").tokens == ["fi", "lm"] * 2
    assert bpe.encode("film" * 250_000).ids == bpe.encode("film").ids * 250_000


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film", "##s", "cafe", "is"]
WORDS += ["naïve", "Film", "...", "…", "1", "##9", "日", "本", "x", "##x", "\u00bd"]
WORDS += [*".,:;!?'\"-_<>|()$%", "t", "isn", "fi", "ß", "ss", "ﬁ"]
WORD_TEXTS = [
    "The films isn't naïve, café: Film…",
    "½ 1999 日本語 ﬁ ß İs",
    "x" * 120,
    "soft\u00adhyphen zero\u200bwidth \ufeff bom \x00 nul",
    "is [SEP] is[CLS]",
    *ODD_TEXTS,
]


@pytest.mark.parametrize("lowercase", [True, False])
def test_bert_ids_are_those_of_transformers(tmp_path, lowercase):
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS), "utf-8")
    reference = transformers.BertTokenizer(
        vocab=str(tmp_path / "vocab.txt"), do_lower_case=lowercase
    )
    ours = fast_tokenizer(
        keras_hub.models.BertTokenizer(
            WORDS, lowercase=lowercase, strip_accents=lowercase
        )
    )
    for text in WORD_TEXTS:
        expected = reference(text, add_special_tokens=False)["input_ids"]
        assert ours.encode(text).ids == expected, text
    assert len(set(ours.encode(" ".join(WORD_TEXTS)).ids)) > 10


def test_other_tokenizers_have_no_fast_form():
    tokenizer = keras_hub.tokenizers.WordPieceTokenizer(WORDS)
    assert fast_tokenizer(tokenizer) is None


@pytest.mark.parametrize("kind", ["GPT2", "Bert"])
def test_without_a_vocabulary_it_says_so(kind):
    cls = getattr(keras_hub.models, f"{kind}Tokenizer")
    with pytest.raises(ValueError, match=f"{kind}Tokenizer"):
        fast_tokenizer(cls())
