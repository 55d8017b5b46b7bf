"""Texts to token ids and back, by SentencePiece and a vocabulary beside it."""

import re

import keras
import sentencepiece
import tensorflow as tf
import tensorflow_text as tf_text

from kftune.models.texts import as_texts
from kftune.models.tokenizers.static_table import static_table

_SPACE = "\u2581"  # how SentencePiece writes the space before a word
_CUT = "\ufdd0\ufdd1"  # Unicode keeps these two from ever being text
_OUTER_SPACE = r"^[\s\p{Z}]+|[\s\p{Z}]+$"


class SentencePieceCoder(tf.Module):
    """Cuts texts with a SentencePiece model and numbers the pieces by a vocabulary.

    Translation models cut source and target with different models, and number the
    pieces of both by one vocabulary; the ids in the SentencePiece files mean nothing.
    A piece that SentencePiece does not know, but the vocabulary does, has its id.
    Special tokens in a text keep their ids, as in transformers. Runs eagerly and in a
    TensorFlow graph; a `tf.Module`, so that a SavedModel takes its tables along.

    Args:
        proto: `bytes`, a serialised SentencePiece model.
        vocabulary: dict of token, a `str`, to id, an `int`.
        unknown_token: `str`, the token for whatever the vocabulary does not know.
        special_tokens: list of `str` that are never cut, and left out of the texts
            that come back.
        prefix: `str` or `None`. Regular expression (RE2) of a token that may stand at
            the beginning of a text, such as a language code.

    Raises:
        ValueError: if `proto` is no SentencePiece model.

    Example:
    ```python
    coder = SentencePieceCoder(
        proto=Path("source.spm").read_bytes(),
        vocabulary=json.loads(Path("vocab.json").read_text()),
        unknown_token="<unk>",
        special_tokens=["</s>", "<unk>", "<pad>"],
    )
    coder.detokenize(coder.tokenize(tf.constant(["Good morning."])))
    ```
    """

    def __init__(
        self, proto, vocabulary, *, unknown_token, special_tokens, prefix=None
    ):
        super().__init__()
        self._proto = proto
        self._tf_text_pieces = _sentence_piece(proto)
        self._specials = "|".join(map(re.escape, sorted(special_tokens, reverse=True)))
        self._prefix = prefix
        tokens, ids = list(vocabulary), list(vocabulary.values())
        self._ids = static_table(tokens, ids, vocabulary[unknown_token])
        self._tokens = static_table(ids, tokens, unknown_token)

    def tokenize(self, inputs):
        """Gives the token ids of texts, without start and end token.

        Args:
            inputs: strings: one, a list, an array or a tensor of shape `(B,)`.

        Returns:
            List of B lists of `int`, or one list for one string. In a graph a
            `tf.RaggedTensor`, `int32` of shape `(B, None)` or `(None,)`.

        Raises:
            TypeError: if something is not a string.
        """
        if tf.is_symbolic_tensor(inputs):
            ids = self._tokenize(tf.reshape(inputs, [-1]), self._pieces.tokenize)
            return ids if inputs.shape.rank else ids[0]
        texts, several = as_texts(inputs)
        texts = tf.constant(texts, tf.string)
        rows = self._tokenize(texts, self._pieces.tokenize).to_list()
        return rows if several else rows[0]

    def sample(self, texts, alpha, seed):
        """Gives token ids of texts that are cut at random.

        Args:
            texts: list of B `str`.
            alpha: `float`, see `TranslationTokenizer.sample`.
            seed: `int`, 0 to 2³² - 1. The same one gives the same ids.

        Returns:
            List of B lists of `int`.
        """
        # Not tf_text's own sampling, which takes no seed.
        pieces = sentencepiece.SentencePieceProcessor(model_proto=self._proto)

        def cut(parts):
            # Each call takes the seed anew, as long as it runs in one thread.
            sentencepiece.set_random_generator_seed(seed)
            rows = pieces.encode(
                [part.decode() for part in parts.numpy()],
                out_type=str,
                enable_sampling=True,
                alpha=alpha,
                nbest_size=-1,
                num_threads=1,
            )
            return tf.RaggedTensor.from_row_lengths(
                tf.constant([piece for row in rows for piece in row], tf.string),
                [len(row) for row in rows],
            )

        return self._tokenize(tf.constant(texts, tf.string), cut).to_list()

    def detokenize(self, inputs):
        """Gives the texts of token ids, without special tokens.

        Args:
            inputs: ids of shape `(B, T)` or `(T,)`, ragged, padded, or in lists.

        Returns:
            List of B `str`, or one `str`; in a graph a `tf.string` tensor, valid UTF-8.
        """
        ids = _as_tensor(inputs)
        several = isinstance(ids, tf.RaggedTensor) or ids.shape.rank > 1
        if not several:
            ids = ids[None, :]
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(ids)
        texts = self._detokenize(tf.cast(ids, tf.int32))
        texts = texts if several else texts[0]
        if tf.is_symbolic_tensor(texts):
            return texts
        texts = texts.numpy()
        return [text.decode() for text in texts] if several else texts.decode()

    @property
    def _pieces(self):
        """TF Text's tokenizer, made anew if TensorFlow has dropped what it refers to.

        `keras.utils.set_random_seed` has such an effect: it clears TensorFlow's caches.
        """
        with tf.init_scope():
            try:
                self._tf_text_pieces.vocab_size()
            except tf.errors.NotFoundError:
                self._tf_text_pieces = _sentence_piece(self._proto)
        return self._tf_text_pieces

    def _tokenize(self, texts, cut):
        """Ids, `(B, None)`, of a string tensor, `(B,)`; `cut` makes pieces of texts."""
        # Not tf_text.regex_split, which drops whatever follows a NUL.
        marked = tf.strings.regex_replace(texts, self._specials, rf"{_CUT}\0{_CUT}")
        parts = tf.strings.split(marked, _CUT)
        flat = parts.flat_values  # one value a part, special tokens among them
        is_special = tf.strings.regex_full_match(flat, self._specials)
        head, rest = self._cut_prefix(tf.where(is_special, "", flat))
        whole = tf.where(is_special, flat, head)
        whole = tf.ragged.boolean_mask(whole[:, None], (whole != "")[:, None])
        tokens = tf.concat([whole, cut(rest)], axis=1)
        tokens = parts.with_flat_values(tokens).merge_dims(1, 2)
        return tf.ragged.map_flat_values(self._ids.lookup, tokens)

    def _detokenize(self, token_ids):
        """Strings, `(B,)`, of ragged ids, `(B, None)`."""
        tokens = tf.ragged.map_flat_values(self._tokens.lookup, token_ids)
        is_special = tf.ragged.map_flat_values(
            tf.strings.regex_full_match, tokens, self._specials
        )
        tokens = tf.ragged.boolean_mask(tokens, ~is_special)
        texts = self._pieces.detokenize(tokens)
        texts = tf.strings.regex_replace(texts, _SPACE, " ")
        texts = tf.strings.regex_replace(texts, _OUTER_SPACE, "")
        return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")

    def _cut_prefix(self, texts):
        """The token at the beginning of each text, or nothing, and the rest."""
        if self._prefix is None:
            return tf.zeros_like(texts), texts
        rest = tf.strings.regex_replace(texts, f"^(?s:{self._prefix})", "", False)
        length = tf.strings.length(texts) - tf.strings.length(rest)
        return tf.strings.substr(texts, tf.zeros_like(length), length), rest


def _sentence_piece(proto):
    try:
        return tf_text.SentencepieceTokenizer(model=proto, out_type=tf.string)
    except tf.errors.OpError as error:
        raise ValueError(
            f"Expected a SentencePiece model. Received: {len(proto)} bytes that are "
            "none, or a file that is cut off"
        ) from error


def _as_tensor(token_ids):
    """A TensorFlow tensor, ragged or not, of ids in whatever container."""
    if isinstance(token_ids, tf.RaggedTensor) or tf.is_tensor(token_ids):
        return token_ids
    if keras.ops.is_tensor(token_ids):
        token_ids = keras.ops.convert_to_numpy(token_ids)
    return tf.ragged.constant(token_ids, tf.int32)
