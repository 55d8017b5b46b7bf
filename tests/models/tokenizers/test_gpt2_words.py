import tensorflow as tf
import tokenizers

from kftune.models.tokenizers.gpt2_words import cut_words, without_empty


def test_every_character_is_of_the_kind_that_the_library_takes_it_for():
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    # A word ends where the next character is of another kind.
    texts = ["".join(map(chr, codes[i : i + 5000])) for i in range(0, len(codes), 5000)]
    byte_level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    rows = cut_words(tf.constant(texts)).to_list()
    received = [[word.decode() for word in row] for row in rows]
    expected = [
        [text[first:end] for _, (first, end) in byte_level.pre_tokenize_str(text)]
        for text in texts
    ]
    assert received == expected
    assert sum(map(len, expected)) > 1000


def test_of_white_space_before_a_word_the_last_character_stands_alone():
    texts = tf.constant(["a   b\n\n c", "\t\t\tx  ", "   "])
    assert cut_words(texts).to_list() == [
        [b"a", b"  ", b" b", b"\n\n", b" c"],
        [b"\t\t", b"\t", b"x", b"  "],
        [b"   "],
    ]


def test_empty_strings_are_dropped():
    parts = tf.ragged.constant([["", "a", ""], [""], []])
    assert without_empty(parts).to_list() == [[b"a"], [], []]
