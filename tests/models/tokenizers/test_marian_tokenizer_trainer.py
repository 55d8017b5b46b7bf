import itertools

import numpy as np
import pytest
import sentencepiece
import transformers
from translation_files import HARD, SOURCE, TARGET, needs_data, real_lines

from kftune.models import train_marian_tokenizer
from kftune.models.converters.hf_tokenizer_files import write_tokenizer

pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
SYMBOLS = ["%(name)s", "{0}", "a,b", '"', "${x}"]
TEXTS = [
    *SOURCE,
    *TARGET,
    *HARD,
    ">>de<< Delete %(name)s and {0}?",
    ">>de<<The ${x} of a,b",
    'the{0}film "is" %(name)s. >>fr<< good',
    ">>xx<< not",
]


@pytest.fixture(scope="module")
def tokenizer():
    return train_marian_tokenizer(
        SOURCE, TARGET, 340, languages=["de", "fr"], symbols=SYMBOLS
    )


def reference_of(tokenizer, folder):
    """transformers' tokenizer of the same files."""
    write_tokenizer(tokenizer, folder)
    return transformers.MarianTokenizer.from_pretrained(folder)


def check_ids(tokenizer, reference, texts):
    """Both sides have transformers' ids."""
    end = tokenizer.source_end_ids
    rows = [row + end for row in tokenizer(texts)]
    assert rows == reference(texts)["input_ids"]
    rows = [row + end for row in tokenizer.tokenize_target(texts)]
    assert rows == reference(text_target=texts)["input_ids"]
    return rows


@pytest.mark.parametrize(
    ("size", "settings"),
    [
        (340, {"languages": ["de", "fr"], "symbols": SYMBOLS}),
        (330, {"model_type": "bpe", "symbols": SYMBOLS}),
        (50, {"byte_fallback": False}),
        (330, {"normalization": "identity", "character_coverage": 1.0}),
    ],
)
def test_ids_and_texts_are_those_of_transformers(size, settings, tmp_path):
    tokenizer = train_marian_tokenizer(SOURCE, TARGET, size, **settings)
    reference = reference_of(tokenizer, tmp_path)
    rows = check_ids(tokenizer, reference, TEXTS)
    options = {"skip_special_tokens": True, "use_source_tokenizer": False}
    expected = [reference.decode(row, **options) for row in rows]
    assert tokenizer.detokenize(rows) == expected
    assert tokenizer.vocabulary_size() == len(reference) == size


def test_special_tokens_stand_where_marian_has_them(tokenizer):
    vocabulary = tokenizer.get_vocabulary()
    assert vocabulary[:2] == ["</s>", "<unk>"]
    assert vocabulary[2:7] == SYMBOLS
    assert vocabulary[7:9] == [">>de<<", ">>fr<<"]
    assert vocabulary[9:265] == [f"<0x{byte:02X}>" for byte in range(256)]
    assert vocabulary[-1] == "<pad>"
    assert len(vocabulary) == len(set(vocabulary)) == 340
    assert tokenizer.start_token_id == tokenizer.pad_token_id == 339
    assert tokenizer.language_codes == [">>de<<", ">>fr<<"]


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_symbols_are_one_token_wherever_they_stand(symbol, tokenizer):
    texts = [symbol, f"the{symbol}film", f"the {symbol} film", symbol * 2]
    for text, count in zip(texts, (1, 1, 1, 2), strict=True):
        for row in (tokenizer(text), tokenizer.tokenize_target(text)):
            assert row.count(tokenizer.token_to_id(symbol)) == count
        assert tokenizer.detokenize(tokenizer.tokenize_target(text)) == text


def test_language_tags_come_first_and_are_no_part_of_the_words(tokenizer):
    row = tokenizer(">>fr<< The film")
    assert row == [tokenizer.token_to_id(">>fr<<"), *tokenizer("The film")]


@pytest.mark.parametrize("text", ["日本 \U0001f600", "Ünïcödé", "PIN 42", "pin 42"])
def test_bytes_stand_for_unknown_characters_and_case_is_kept(text, tokenizer):
    row = tokenizer.tokenize_target(text)
    assert tokenizer.token_to_id("<unk>") not in row
    assert tokenizer.detokenize(row) == text


def test_without_bytes_unknown_characters_are_unknown():
    tokenizer = train_marian_tokenizer(SOURCE, TARGET, 50, byte_fallback=False)
    assert tokenizer.token_to_id("<unk>") in tokenizer("日本")
    assert not [t for t in tokenizer.get_vocabulary() if t.startswith("<0x")]


def test_normalization_is_a_choice():
    texts = ["… ﬁ ½", *TARGET]
    plain = train_marian_tokenizer(texts, TARGET, 310, normalization="identity")
    assert plain.detokenize(plain.tokenize_target("… ﬁ ½")) == "… ﬁ ½"
    folded = train_marian_tokenizer(texts, TARGET, 310)
    assert folded.detokenize(folded.tokenize_target("… ﬁ ½")) == "... fi 1\u20442"


def test_each_side_may_have_its_own_vocabulary(tmp_path):
    tokenizer = train_marian_tokenizer(
        SOURCE, TARGET, 45, joint=False, languages=["de"], byte_fallback=False
    )
    source = {tokenizer.token_to_id(t): t for t in (">>de<<", "<pad>", "</s>")}
    assert source == {2: ">>de<<", 44: "<pad>", 0: "</s>"}
    assert ">>de<<" not in tokenizer.get_vocabulary()
    assert tokenizer.get_vocabulary()[44] == "<pad>"
    assert "ß" in "".join(tokenizer.get_vocabulary())
    rows = tokenizer.tokenize_target(TARGET)
    assert tokenizer.detokenize(rows) == TARGET
    write_tokenizer(tokenizer, tmp_path)
    reference = transformers.MarianTokenizer.from_pretrained(
        tmp_path, target_vocab_file=str(tmp_path / "target_vocab.json")
    )
    check_ids(tokenizer, reference, [*SOURCE, *TARGET])


def test_the_same_texts_give_the_same_tokenizer(tokenizer):
    again = train_marian_tokenizer(
        iter_twice(SOURCE), TARGET, 340, languages=["de", "fr"], symbols=SYMBOLS
    )
    assert again.get_vocabulary() == tokenizer.get_vocabulary()
    assert again(TEXTS) == tokenizer(TEXTS)


def iter_twice(texts):
    """The texts in another container."""
    return np.array(texts, object)


def test_long_texts_are_learnt_as_well():
    article = "rosebud " * 1000  # 8 kB
    tokenizer = train_marian_tokenizer([article, *SOURCE], TARGET, 340)
    assert len(tokenizer(["rosebud"])[0]) <= 2


def test_a_sample_of_many_texts_is_chosen_by_the_seed():
    texts = ["".join(letters) for letters in itertools.permutations("abcde")]

    def vocabulary(seed):
        tokenizer = train_marian_tokenizer(
            texts,
            texts,
            11,
            byte_fallback=False,
            model_type="bpe",
            max_texts=4,
            seed=seed,
        )
        return tokenizer.get_vocabulary()

    assert vocabulary(1) == vocabulary(1)
    assert len({tuple(vocabulary(seed)) for seed in (1, 2, 3)}) > 1


@pytest.mark.parametrize(
    ("size", "settings", "message"),
    [
        (2000, {}, "at most ([0-9]+), which.*Received: 2000"),
        (100, {}, "at least ([0-9]+), which.*Received: 100"),
        (0, {"byte_fallback": False}, "at least ([0-9]+), which.*Received: 0"),
    ],
)
def test_a_size_that_does_not_fit_is_an_error_that_tells_one(size, settings, message):
    with pytest.raises(ValueError, match=message) as error:
        train_marian_tokenizer(SOURCE, TARGET, size, **settings)
    words = str(error.value).replace(",", "").split()
    possible = next(int(word) for word in words if word.isdigit())
    tokenizer = train_marian_tokenizer(SOURCE, TARGET, possible, **settings)
    assert tokenizer.vocabulary_size() == possible


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model_type": "word"}, "'unigram', 'bpe'.*Received: 'word'"),
        ({"symbols": ["<unk>"]}, "Received: '<unk>'"),
        ({"symbols": ["a b", "", 7, "\u2581", "<0x0A>"]}, "'a b', '', 7, '\u2581'"),
        ({"symbols": ["%s", "%s"]}, "Received: '%s'"),
        ({"languages": ["de", ">>fr<<", "p t"]}, "Received: '>>fr<<', 'p t'"),
        ({"normalization": "none"}, "settings that SentencePiece.*none"),
        ({"character_coverage": 2.0}, "settings that SentencePiece.*coverage"),
    ],
)
def test_impossible_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        train_marian_tokenizer(SOURCE, TARGET, 340, **settings)


def test_texts_are_needed():
    with pytest.raises(ValueError, match="texts of both sides. Received: 2 blank"):
        train_marian_tokenizer(SOURCE, ["", " "], 340)
    with pytest.raises(TypeError, match="None at index 1"):
        train_marian_tokenizer(["a", None], TARGET, 340)


# === Subword regularisation


def all_cuts(text, scores):
    """Every way to cut a text into pieces, with the sum of their scores."""
    if not text:
        return [((), 0.0)]
    return [
        ((text[:end], *rest), scores[text[:end]] + score)
        for end in range(1, len(text) + 1)
        if text[:end] in scores
        for rest, score in all_cuts(text[end:], scores)
    ]


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_cuts_are_as_frequent_as_kudo_has_them(alpha):
    tokenizer = train_marian_tokenizer(SOURCE, TARGET, 50, byte_fallback=False)
    model = sentencepiece.SentencePieceProcessor(model_proto=tokenizer._protos[0])
    scores = {model.id_to_piece(i): model.get_score(i) for i in range(2, len(model))}
    cuts, values = zip(*all_cuts("\u2581other\u2581is", scores), strict=True)
    weights = np.exp(alpha * np.array(values))
    expected = dict(zip(cuts, weights / weights.sum(), strict=True))
    assert len(expected) > 2
    drawn = tokenizer.sample(["other is"] * 4000, alpha=alpha, seed=3)
    pieces = [tuple(map(tokenizer.id_to_token, row)) for row in drawn]
    for cut, probability in expected.items():
        # Five standard deviations of a share of 4000.
        tolerance = 5 * np.sqrt(probability * (1 - probability) / 4000)
        assert pieces.count(cut) / 4000 == pytest.approx(probability, abs=tolerance)
    assert sum(pieces.count(cut) for cut in expected) == 4000


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
@pytest.mark.parametrize("side", ["source", "target"])
def test_random_cuts_repeat_by_seed_and_mean_the_same_text(side, model_type):
    tokenizer = train_marian_tokenizer(
        SOURCE, TARGET, 330, model_type=model_type, symbols=["{0}"], languages=["de"]
    )
    texts = [">>de<< The film is {0} good", *SOURCE, *TARGET, "a</s>b", ""]
    rows = tokenizer.sample(texts, side, seed=1)
    assert rows == tokenizer.sample(texts, side, seed=1)
    assert rows != tokenizer.sample(texts, side, seed=2)
    whole = tokenizer.tokenize_target(texts)
    assert tokenizer.detokenize(rows) == tokenizer.detokenize(whole)
    assert rows[0].count(tokenizer.token_to_id("{0}")) == 1
    assert rows[0][0] == tokenizer.token_to_id(">>de<<")
    assert tokenizer.end_token_id in rows[-2]


@pytest.mark.large
@needs_data
def test_ids_of_real_text_are_those_of_transformers(tmp_path):
    english, german = real_lines("en", 4000), real_lines("de", 4000)
    tokenizer = train_marian_tokenizer(english, german, 3000, languages=["de"])
    check_ids(tokenizer, reference_of(tokenizer, tmp_path), english + german)
    back = tokenizer.detokenize(tokenizer.tokenize_target(german))
    assert back == [" ".join(text.split()) for text in german]
