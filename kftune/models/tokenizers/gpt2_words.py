"""GPT-2's cutting of texts into words, in TensorFlow ops."""

import functools

import tensorflow as tf
import tokenizers

# A byte that valid UTF-8 never has, so that no text holds the mark, and that RE2 takes
# for no character, so that no match goes over it.
CUT = b"\xff"
# Not RE2's own \s, which knows ASCII alone.
_SPACE = r"\t\n\v\f\r\x{85}\p{Z}"
# Unicode's planes with letters and digits; the others are empty or for private use.
_LAST_LETTER = 0x3FFFF
_SURROGATES = range(0xD800, 0xE000)


def cut_words(texts):
    """Cuts texts as the `ByteLevel` pre-tokenizer of `tokenizers` does.

    Args:
        texts: `tf.string` tensor `(B,)`, valid UTF-8.

    Returns:
        `tf.RaggedTensor`, strings `(B, None)`, which joined give the texts.
    """
    # White space before a word is one match, but for its last character. RE2 cannot
    # look ahead: a mark before that character ends the match.
    texts = tf.strings.regex_replace(
        texts, f"([{_SPACE}])([{_SPACE}][^{_SPACE}])", rb"\1" + CUT + rb"\2"
    )
    texts = tf.strings.regex_replace(texts, _word_pattern(), rb"\0" + CUT)
    return without_empty(tf.strings.split(texts, CUT))


def without_empty(parts):
    """Drops empty strings.

    Args:
        parts: `tf.RaggedTensor`, strings `(B, None)`.

    Returns:
        `tf.RaggedTensor` likewise.
    """
    return tf.ragged.boolean_mask(parts, parts != "")


@functools.cache
def _word_pattern():
    letters, digits = _ranges(r"\P{L}"), _ranges(r"\P{N}")
    return (
        rf"'s|'t|'re|'ve|'m|'ll|'d| ?[{letters}]+| ?[{digits}]+"
        rf"| ?[^{_SPACE}{letters}{digits}]+|[{_SPACE}]+"
    )


def _ranges(others):
    """The inside of a class of RE2: characters without those of another pattern.

    RE2 and `tokenizers` know the letters of different versions of Unicode.
    """
    codes = [code for code in range(_LAST_LETTER) if code not in _SURROGATES]
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(others), "removed")
    runs = split.pre_tokenize_str("".join(map(chr, codes)))
    return "".join(
        rf"\x{{{codes[first]:x}}}-\x{{{codes[end - 1]:x}}}" for _, (first, end) in runs
    )
