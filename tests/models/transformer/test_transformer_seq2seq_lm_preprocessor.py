import json

import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from kftune.models import TransformerSeq2SeqLMPreprocessor

pytestmark = pytest.mark.backend

VOCABULARY = {
    "<s>": 0,
    "<pad>": 1,
    "</s>": 2,
    "<mask>": 3,
    "a": 4,
    "b": 5,
    "c": 6,
    "ba": 7,
}


@pytest.fixture
def preprocessor():
    tokenizer = keras_hub.models.BartTokenizer(VOCABULARY, merges=["b a"])
    return TransformerSeq2SeqLMPreprocessor(tokenizer, 6, 5)


def plain(structure):
    return tf.nest.map_structure(
        lambda x: np.asarray(x).astype(int).tolist(), structure
    )


@pytest.mark.long
def test_rows_are_keras_hubs(preprocessor):
    theirs = keras_hub.models.BartSeq2SeqLMPreprocessor(preprocessor.tokenizer, 6, 5)
    texts = {"encoder_text": ["abc", "a" * 9], "decoder_text": ["b", "c" * 9]}
    expected = plain(theirs(texts))
    assert plain(preprocessor(texts)) == expected
    received = preprocessor(texts["encoder_text"], texts["decoder_text"])
    assert plain(received) == expected
    batches = tf.data.Dataset.from_tensor_slices(texts).batch(2).map(preprocessor)
    assert plain(next(iter(batches))) == expected
    pairs = tuple(texts.values())
    batches = tf.data.Dataset.from_tensor_slices(pairs).batch(2).map(preprocessor)
    assert plain(next(iter(batches))) == expected


@pytest.mark.long
def test_rare_text_gives_the_same_rows_in_a_graph(preprocessor):
    texts = ["a\x00bc", "b\n\na", "<s>b</s> a"]
    pairs = (texts, texts[::-1])
    batches = tf.data.Dataset.from_tensor_slices(pairs).batch(3).map(preprocessor)
    assert plain(next(iter(batches))) == plain(preprocessor(*pairs))


def test_a_pair_by_hand(preprocessor):
    x, y, weight = preprocessor("ab", "c")
    assert plain(x) == {
        "encoder_token_ids": [0, 4, 5, 2, 1, 1],
        "encoder_padding_mask": [1, 1, 1, 1, 0, 0],
        "decoder_token_ids": [2, 0, 6, 2, 1],
        "decoder_padding_mask": [1, 1, 1, 1, 0],
    }
    assert plain((y, weight)) == ([0, 6, 2, 1, 1], [1, 1, 1, 0, 0])


def test_a_warning_says_what_of_pairs_is_lost(preprocessor, recwarn):
    preprocessor(["a" * 6, "a"], ["c" * 5, "c"])
    told = [str(each.message) for each in recwarn if "cut" in str(each.message)]
    assert told == [
        "1 of 2 sources were cut to 6 tokens, start and end among them: 2 tokens are "
        "lost. A larger encoder_sequence_length keeps more.",
        "1 of 2 targets were cut to 6 tokens, start and end among them: 2 tokens are "
        "lost. A larger decoder_sequence_length keeps more.",
    ]
    recwarn.clear()
    preprocessor.generate_preprocess(["a" * 6])
    assert not recwarn


def test_no_room_to_generate_is_an_error(preprocessor):
    with pytest.raises(ValueError, match="0"):
        preprocessor.generate_preprocess(["a"], sequence_length=0)


def test_other_tokenizers_get_one_start_and_one_end():
    tokenizer = keras_hub.models.GPT2Tokenizer(
        {"<|endoftext|>": 2, "a": 4, "b": 5, "ba": 6}, merges=["b a"]
    )
    preprocessor = TransformerSeq2SeqLMPreprocessor(tokenizer, 4, 4)
    x, y, _ = preprocessor("ab", "b")
    assert plain(x["encoder_token_ids"]) == [4, 5, 2, 0]
    assert plain(x["decoder_token_ids"]) == [2, 5, 2, 0]
    assert plain(y) == [5, 2, 0, 0]
    assert preprocessor.stop_token_ids == [2]


@pytest.mark.long
def test_prompts(preprocessor):
    sources = ["a" * n for n in (1, 3)]
    received = preprocessor.generate_preprocess(sources)
    assert plain(received["decoder_token_ids"]) == [[2, 0, 1, 1, 1]] * 2
    assert plain(received["decoder_padding_mask"]) == [[1, 1, 0, 0, 0]] * 2
    begun = {"encoder_text": sources, "decoder_text": ["b", ""]}
    received = preprocessor.generate_preprocess(begun, sequence_length=4)
    assert plain(received["decoder_token_ids"]) == [[2, 0, 5, 1], [2, 0, 1, 1]]
    graph = tf.function(preprocessor.generate_preprocess)
    texts = tf.constant(sources)
    assert plain(graph(texts)) == plain(preprocessor.generate_preprocess(sources))
    with pytest.raises(ValueError, match="at most 5 tokens.*7 tokens at index 0"):
        preprocessor.generate_preprocess(
            {"encoder_text": ["a"], "decoder_text": ["bcabc"]}
        )


def test_sources_of_prompts_are_padded_to_few_lengths(preprocessor):
    preprocessor.encoder_sequence_length = 100
    for length, padded in ((1, 32), (30, 32), (31, 64), (63, 100), (300, 100)):
        received = preprocessor.generate_preprocess(["a" * length])
        assert received["encoder_token_ids"].shape == (1, padded)


def test_texts_come_back_without_special_tokens(preprocessor):
    rows = {
        "decoder_token_ids": np.array([[2, 0, 4, 5, 2], [2, 0, 6, 6, 6]]),
        "decoder_padding_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]),
    }
    assert preprocessor.generate_postprocess(rows) == ["ab", "c"]


def test_rows_are_tokenised_once(preprocessor):
    received = preprocessor.tokenize_rows(["abc", "a" * 9], "source")
    assert plain(received) == [[0, 4, 5, 6, 2], [0, 4, 4, 4, 4, 2]]
    received = preprocessor.tokenize_rows(["b", "c" * 9], "target")
    assert plain(received) == [[2, 0, 5, 2], [2, 0, 6, 6, 6, 2]]


def test_other_tokenizers_do_not_cut_at_random(preprocessor):
    with pytest.raises(TypeError, match="MarianTokenizer.*Received: BartTokenizer"):
        preprocessor.tokenize_rows(["abc"], "source", alpha=0.1)


def test_a_fingerprint_tells_what_decides_the_rows(preprocessor):
    config = preprocessor.get_config()

    def changed(**changes):
        changed_config = {**config, **changes}
        again = TransformerSeq2SeqLMPreprocessor.from_config(changed_config)
        again.tokenizer.set_vocabulary_and_merges(VOCABULARY, ["b a"])
        return again.fingerprint()

    assert changed(name="another") == preprocessor.fingerprint()
    assert json.loads(json.dumps(changed())) == preprocessor.fingerprint()
    assert changed(encoder_sequence_length=7) != preprocessor.fingerprint()
    assert changed(decoder_sequence_length=7) != preprocessor.fingerprint()


def test_what_is_no_pair_is_refused(preprocessor):
    with pytest.raises(ValueError, match="y=NoneType"):
        preprocessor(["a"])
    with pytest.raises(ValueError, match="2 sources and 1 targets"):
        preprocessor(["a", "b"], ["c"])
    with pytest.raises(ValueError, match="sample_weight=list"):
        preprocessor(["a"], ["b"], [1.0])
    with pytest.raises(TypeError, match="None at index 0"):
        preprocessor([None], ["a"])


def test_a_tokenizer_without_an_end_is_refused():
    tokenizer = keras_hub.tokenizers.ByteTokenizer()
    preprocessor = TransformerSeq2SeqLMPreprocessor(tokenizer, 4, 4)
    with pytest.raises(ValueError, match="start_token_id.*ByteTokenizer"):
        preprocessor(["a"], ["b"])


def test_the_arguments_come_back_from_the_config(preprocessor):
    again = TransformerSeq2SeqLMPreprocessor.from_config(preprocessor.get_config())
    assert again.encoder_sequence_length == 6
    assert again.decoder_sequence_length == 5


def test_one_source_has_one_target(preprocessor):
    with pytest.raises(ValueError, match="one sources and 2 targets"):
        preprocessor("a", ["b", "c"])
    with pytest.raises(ValueError, match="2 sources and one targets"):
        preprocessor(["a", "b"], "c")


def test_a_length_without_room_is_refused(preprocessor):
    short = TransformerSeq2SeqLMPreprocessor(preprocessor.tokenizer, 2, 5)
    with pytest.raises(ValueError, match="room for a token.*source.*length of 2"):
        short.tokenize_rows(["abc"], "source")
