"""Byte-level BPE in TensorFlow ops: the ids of `tokenizers`, in a graph."""

import re

import numpy as np
import tensorflow as tf

from kftune.models.fast_tokenizers import (
    LONGEST_WORD,
    byte_level_bpe,
    is_byte_level,
    merge_rules,
)
from kftune.models.tokenizers.byte_pair_merges import BytePairMerges
from kftune.models.tokenizers.gpt2_words import CUT, cut_words
from kftune.models.tokenizers.static_table import static_table

_NO_ID = -1
_NOTHING = r"[^\x{0}-\x{10ffff}]"


class GraphBytePairs(tf.Module):
    """Tokenises with GPT-2's byte-level BPE; ids are those of `byte_level_bpe`.

    For `tf.data`, and for SavedModels: of core TensorFlow ops, with tables that do not
    change. A `tf.Module`, so that a SavedModel takes the tables along.

    Args:
        tokenizer: `keras_hub.models.GPT2Tokenizer`, or one of BART or RoBERTa, with its
            vocabulary loaded.

    Raises:
        TypeError: if the tokenizer is of another model.
        ValueError: if the tokenizer has no vocabulary yet.

    Example:
    ```python
    tokenizer = keras_hub.models.GPT2Tokenizer(
        {"<|endoftext|>": 3, "!": 0, "a": 1, "b": 2, "ba": 4}, merges=["b a"]
    )
    byte_pairs = GraphBytePairs(tokenizer)
    texts = tf.data.Dataset.from_tensors(["ba!", "ab<|endoftext|>"])
    next(iter(texts.map(byte_pairs.tokenize)))  # [[4, 0], [1, 2, 3]]
    ```
    """

    def __init__(self, tokenizer):
        super().__init__()
        _check_byte_level(tokenizer)
        fast = byte_level_bpe(tokenizer)
        ids = fast.get_vocab(with_added_tokens=True)
        letters = _byte_letters()
        self._byte_ids = np.array([ids.get(letter, _NO_ID) for letter in letters])
        self._merges = BytePairMerges(
            {(ids[a], ids[b]): ids[a + b] for a, b in merge_rules(tokenizer)}
        )
        self._add_prefix_space = tokenizer.add_prefix_space
        # Of two that begin alike the longer one comes first.
        specials = sorted(tokenizer.unsplittable_tokens, reverse=True)
        self._specials = "|".join(map(re.escape, specials)) or _NOTHING
        # TensorFlow refuses an empty table.
        special_ids = {CUT: _NO_ID} | {token.encode(): ids[token] for token in specials}
        self._special_ids = static_table(
            [*special_ids], [*special_ids.values()], _NO_ID
        )
        bytes_of = {letter: bytes([byte]) for byte, letter in enumerate(letters)}
        known = sorted({*ids.values()})
        tokens = [_token_bytes(fast.id_to_token(i), bytes_of) for i in known]
        self._tokens = static_table(known, tokens, b"")
        self._skipped = np.array(tokenizer.special_token_ids, "int32")

    def tokenize(self, texts):
        """Gives the token ids of texts, without start and end token.

        Args:
            texts: `tf.string` tensor `(B,)` or `()`. What is not UTF-8 becomes U+FFFD.

        Returns:
            `tf.RaggedTensor`, `int32 (B, None)`; of one text a tensor `(None,)`.
        """
        texts = tf.convert_to_tensor(texts, tf.string)
        # Many small steps, for which a GPU is no help.
        with tf.device("CPU:0"):
            ids = self._tokenize(tf.reshape(texts, [-1]))
            return ids if texts.shape.rank else ids[0]

    def detokenize(self, ids, skip_special_tokens=True):
        """Gives the texts of token ids.

        Args:
            ids: integers `(B, T)`, ragged or not. Those without a token give nothing.
            skip_special_tokens: `bool`. True leaves the tokenizer's special tokens out,
                False writes them as in a text.

        Returns:
            `tf.string` tensor `(B,)`, valid UTF-8.
        """
        with tf.device("CPU:0"):
            ids = tf.cast(ids, tf.int32)
            tokens = tf.ragged.map_flat_values(self._texts, ids, skip_special_tokens)
            texts = tf.strings.reduce_join(tokens, axis=-1)
            return _valid(texts)

    def _tokenize(self, texts):
        marked = tf.strings.regex_replace(
            _valid(texts), self._specials, CUT + rb"\0" + CUT
        )
        parts = tf.strings.split(marked, CUT)
        flat = parts.flat_values  # one value a part, special tokens among them
        special = self._special_ids.lookup(flat)
        special = tf.ragged.boolean_mask(special[:, None], (special != _NO_ID)[:, None])
        rest = tf.where(special.row_lengths() == 0, flat, "")
        if self._add_prefix_space:
            rest = tf.strings.regex_replace(rest, "^[^ ]", r" \0", False)
        words = cut_words(rest)
        ids = words.with_flat_values(self._word_ids(words.flat_values))
        ids = tf.concat([special, ids.merge_dims(1, 2)], axis=1)
        return parts.with_flat_values(ids).merge_dims(1, 2)

    def _word_ids(self, words):
        """Ragged ids, `(W, None)`, of words, `(W,)`."""
        words, which = tf.unique(words)
        length = tf.strings.length(words)
        word = tf.repeat(tf.range(tf.size(words)), length)
        start = tf.cumsum(length, exclusive=True)
        place = tf.range(tf.size(word)) - tf.gather(start, word)
        # Long words are cut as in `byte_level_bpe`.
        pieces = -(-length // LONGEST_WORD)
        piece = tf.gather(tf.cumsum(pieces, exclusive=True), word)
        piece += place // LONGEST_WORD
        ids = tf.gather(self._byte_ids, _bytes(words))
        known = ids != _NO_ID
        ids, piece = tf.boolean_mask(ids, known), tf.boolean_mask(piece, known)
        ids, piece = self._merges(ids, piece, tf.reduce_sum(pieces))
        word = tf.gather(tf.repeat(tf.range(tf.size(words)), pieces), piece)
        rows = tf.RaggedTensor.from_value_rowids(
            tf.cast(ids, tf.int32), word, tf.size(words), validate=False
        )
        return tf.gather(rows.with_row_splits_dtype(tf.int64), which)

    def _texts(self, ids, skip_special_tokens):
        """What each id stands for, in bytes."""
        tokens = self._tokens.lookup(ids)
        if not skip_special_tokens:
            return tokens
        skipped = tf.reduce_any(ids[..., None] == self._skipped, axis=-1)
        return tf.where(skipped, "", tokens)


def _check_byte_level(tokenizer):
    if not is_byte_level(tokenizer):
        raise TypeError(
            "Expected a tokenizer of BART, GPT-2 or RoBERTa. Received: "
            f"{type(tokenizer).__name__}"
        )


def _bytes(words):
    """The bytes of all words in a row, `int32 (N,)`."""
    return tf.cast(tf.io.decode_raw(tf.strings.reduce_join(words), tf.uint8), tf.int32)


def _valid(texts):
    return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")


def _byte_letters():
    """The characters that stand for the bytes 0 to 255 in a vocabulary."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def _token_bytes(token, bytes_of):
    """A token's bytes; a special token may have characters that stand for none."""
    if all(letter in bytes_of for letter in token):
        return b"".join(bytes_of[letter] for letter in token)
    return token.encode()
