import json

import keras
import keras_hub
import pytest
import tensorflow as tf
import transformers
from translation_files import (
    HARD,
    SOURCE,
    TARGET,
    needs_data,
    real_lines,
    write_marian_files,
)

from kftune.models.tokenizers.marian_tokenizer import MarianTokenizer

pytestmark = pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")
CODES = [">>deu<< The film", ">>xyz<< The film", ">>deu<<", ">> a << b", "a >>deu<<"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_marian_files(tmp_path_factory.mktemp("marian"))


@pytest.fixture
def tokenizer(folder):
    tokenizer = MarianTokenizer()
    tokenizer.load_assets(folder)
    return tokenizer


@pytest.fixture(scope="module")
def reference(folder):
    return transformers.MarianTokenizer.from_pretrained(folder)


def expected_ids(reference, texts, side="text"):
    return [reference(**{side: text})["input_ids"] for text in texts]


def with_end(tokenizer, rows):
    return [row + tokenizer.source_end_ids for row in rows]


@pytest.mark.backend
def test_ids_are_those_of_transformers(tokenizer, reference):
    texts = SOURCE + HARD + CODES + TARGET
    rows = with_end(tokenizer, tokenizer(texts))
    assert rows == expected_ids(reference, texts)
    rows = with_end(tokenizer, tokenizer.tokenize_target(texts))
    assert rows == expected_ids(reference, texts, "text_target")


def test_source_and_target_are_cut_differently(tokenizer):
    assert tokenizer(TARGET) != tokenizer.tokenize_target(TARGET)


def test_ids_in_a_graph_are_the_same(tokenizer):
    texts = SOURCE + HARD + CODES
    rows = tokenizer(texts)
    data = tf.data.Dataset.from_tensor_slices(texts)
    assert [row.numpy().tolist() for row in data.map(tokenizer)] == rows
    (batch,) = data.batch(len(texts)).map(tokenizer.tokenize_target)
    assert batch.to_list() == tokenizer.tokenize_target(texts)


def test_setting_a_seed_takes_nothing_away(tokenizer):
    rows = tokenizer.tokenize_target(TARGET)
    keras.utils.set_random_seed(3)
    assert tokenizer.tokenize_target(TARGET) == rows
    keras.utils.set_random_seed(3)
    assert tokenizer.detokenize(rows) == TARGET
    keras.utils.set_random_seed(3)
    (batch,) = tf.data.Dataset.from_tensors(TARGET).map(tokenizer.tokenize_target)
    assert batch.to_list() == rows


@pytest.mark.backend
def test_texts_come_back_as_from_transformers(tokenizer, reference):
    texts = TARGET + HARD + CODES
    rows = with_end(tokenizer, tokenizer.tokenize_target(texts))
    options = {"skip_special_tokens": True, "use_source_tokenizer": False}
    expected = [reference.decode(row, **options) for row in rows]
    assert tokenizer.detokenize(rows) == expected
    assert expected[: len(TARGET)] == TARGET
    padded = tf.ragged.constant(rows).to_tensor(tokenizer.pad_token_id)
    assert tokenizer.detokenize(keras.ops.convert_to_tensor(padded.numpy())) == expected
    assert tokenizer.detokenize(rows[0]) == TARGET[0]
    data = tf.data.Dataset.from_tensor_slices(padded).batch(4)
    in_graph = [text for batch in data.map(tokenizer.detokenize) for text in batch]
    assert [text.numpy().decode() for text in in_graph] == expected


def test_pieces_that_only_the_other_side_knows_have_their_id(tokenizer):
    assert "ß" not in {tokenizer.id_to_token(i) for i in tokenizer(SOURCE)[0]}
    assert tokenizer.token_to_id("ß") in tokenizer("ß")


def test_special_tokens_and_languages(tokenizer, reference):
    assert tokenizer.pad_token_id == reference.pad_token_id
    assert tokenizer.end_token_id == reference.eos_token_id
    assert tokenizer.start_token_id == tokenizer.pad_token_id
    assert tokenizer.token_to_id("no such token") == reference.unk_token_id
    assert tokenizer.vocabulary_size() == len(reference)
    assert tokenizer.get_vocabulary() == list(reference.encoder)
    assert tokenizer.language_codes == [">>deu<<", ">>fra<<"]
    assert tokenizer.source_start_ids == []
    assert tokenizer.target_start_ids == [reference.pad_token_id]
    assert tokenizer.target_end_ids == [reference.eos_token_id]


def test_a_vocabulary_of_its_own_for_the_target(folder, tmp_path):
    vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
    middle = sorted(set(vocabulary) - {"</s>", "<unk>", "<pad>"}, reverse=True)
    target = {t: i for i, t in enumerate(["</s>", "<unk>", *middle, "<pad>"])}
    protos = [(folder / f"{side}.spm").read_bytes() for side in ("source", "target")]
    tokenizer = MarianTokenizer(*protos, vocabulary, target)
    tokenizer.save_assets(tmp_path)
    config = {"tokenizer_class": "MarianTokenizer", "separate_vocabs": True}
    config |= {"target_vocab_file": str(tmp_path / "target_vocab.json")}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    reference = transformers.MarianTokenizer.from_pretrained(tmp_path)
    rows = with_end(tokenizer, tokenizer.tokenize_target(TARGET))
    assert rows == expected_ids(reference, TARGET, "text_target")
    assert with_end(tokenizer, tokenizer(SOURCE)) == expected_ids(reference, SOURCE)
    assert tokenizer.detokenize(rows) == TARGET
    again = MarianTokenizer.from_config(tokenizer.get_config())
    again.load_assets(tmp_path)
    assert again.tokenize_target(TARGET) == tokenizer.tokenize_target(TARGET)


def test_a_preset_keeps_it(tokenizer, tmp_path):
    tokenizer.save_to_preset(str(tmp_path))
    saved = json.loads((tmp_path / "tokenizer.json").read_text())
    again = keras.saving.deserialize_keras_object(saved)
    again.load_preset_assets(str(tmp_path))
    assert isinstance(again, MarianTokenizer)
    assert again(SOURCE) == tokenizer(SOURCE)
    assert again.get_config() == tokenizer.get_config()
    assert isinstance(again, keras_hub.tokenizers.Tokenizer)


def test_it_must_be_loaded_first():
    for call in (MarianTokenizer(), MarianTokenizer().detokenize):
        with pytest.raises(ValueError, match="MarianTokenizer with a vocabulary"):
            call(["a"])


def test_texts_must_be_strings(tokenizer):
    with pytest.raises(TypeError, match="7 at index 1"):
        tokenizer.tokenize(["a", 7])


@pytest.mark.parametrize(
    ("vocabulary", "received"),
    [
        (["</s>"], "list"),
        ({"</s>": 0, "<unk>": 1}, "no '<pad>'"),
        ({"</s>": 0, "<unk>": 0, "<pad>": 1}, "one id"),
        ({"</s>": 0, "<unk>": "one", "<pad>": [2]}, "'<unk>': 'one'"),
    ],
)
def test_wrong_vocabularies_are_named(folder, vocabulary, received):
    proto = (folder / "source.spm").read_bytes()
    with pytest.raises(ValueError, match=received):
        MarianTokenizer(proto, proto, vocabulary)


def test_a_truncated_model_is_named(folder):
    proto = (folder / "source.spm").read_bytes()[:100]
    with pytest.raises(ValueError, match="Received: 100 bytes"):
        MarianTokenizer(proto, proto, {"</s>": 0, "<unk>": 1, "<pad>": 2})


@pytest.mark.large
@needs_data
def test_ids_of_real_text_are_those_of_transformers(tmp_path):
    english, german = real_lines("en", 4000), real_lines("de", 4000)
    write_marian_files(tmp_path, english[:2000], german[:2000], vocab_size=1000)
    tokenizer = MarianTokenizer()
    tokenizer.load_assets(tmp_path)
    reference = transformers.MarianTokenizer.from_pretrained(tmp_path)
    rows = with_end(tokenizer, tokenizer(english[2000:]))
    assert rows == expected_ids(reference, english[2000:])
    rows = with_end(tokenizer, tokenizer.tokenize_target(german[2000:]))
    assert rows == expected_ids(reference, german[2000:], "text_target")
