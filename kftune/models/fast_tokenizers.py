"""KerasHub's vocabularies in the `tokenizers` library: transformers' ids, fast.

KerasHub cuts and folds text a little differently: white space before line breaks for
GPT-2, ligatures and ellipses for BERT. Its byte-pair merging is quadratic in the length
of a word. `GraphBytePairs` has the byte-level tokenizers for TensorFlow graphs.
"""

import keras_hub
import tokenizers

# In bytes. What is longer is no word of a language; in a graph, merging takes as many
# steps, one after the other, as the longest word has bytes.
LONGEST_WORD = 256
# Byte-pair tokenizers of other models cut text into words by other rules than GPT-2's.
_BYTE_LEVEL = (
    keras_hub.models.BartTokenizer,
    keras_hub.models.GPT2Tokenizer,
    keras_hub.models.RobertaTokenizer,
)
_WORD_PIECE = (
    keras_hub.models.BertTokenizer,
    keras_hub.models.DistilBertTokenizer,
    keras_hub.models.ElectraTokenizer,
)


def fast_tokenizer(tokenizer):
    """Builds the tokenizer that transformers has for the same vocabulary.

    Args:
        tokenizer: `keras_hub.tokenizers.Tokenizer` with its vocabulary loaded.

    Returns:
        `tokenizers.Tokenizer` without start and end token, or `None` for models other
        than BART, BERT, DistilBERT, ELECTRA, GPT-2 and RoBERTa.

    Raises:
        ValueError: if the tokenizer has no vocabulary yet.
    """
    if is_byte_level(tokenizer):
        return byte_level_bpe(tokenizer)
    return _word_piece(tokenizer) if isinstance(tokenizer, _WORD_PIECE) else None


def is_byte_level(tokenizer):
    """Tells tokenizers that cut and merge as GPT-2's.

    Args:
        tokenizer: a `keras_hub.tokenizers.Tokenizer`.

    Returns:
        `bool`, True for those of BART, GPT-2 and RoBERTa.
    """
    return isinstance(tokenizer, _BYTE_LEVEL)


def byte_level_bpe(tokenizer, longest_word=LONGEST_WORD):
    """Builds GPT-2's tokenizer from the vocabulary and merges of a KerasHub one.

    Args:
        tokenizer: `keras_hub.models.GPT2Tokenizer`, or one of BART or RoBERTa, with its
            vocabulary loaded.
        longest_word: `int`, in bytes. Longer words are cut into pieces of this length,
            which are merged each by itself. `None` merges them whole, as transformers.

    Returns:
        `tokenizers.Tokenizer` with the same ids. It adds no start or end token.

    Raises:
        ValueError: if the tokenizer has no vocabulary yet.
    """
    _check_vocabulary(tokenizer)
    fast = tokenizers.Tokenizer(
        tokenizers.models.BPE(
            vocab=dict(tokenizer.vocabulary), merges=merge_rules(tokenizer)
        )
    )
    fast.add_special_tokens(list(tokenizer.unsplittable_tokens))
    cut = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=tokenizer.add_prefix_space
    )
    if longest_word is not None:
        # By now a character stands for a byte.
        pieces = tokenizers.pre_tokenizers.FixedLength(longest_word)
        cut = tokenizers.pre_tokenizers.Sequence([cut, pieces])
    fast.pre_tokenizer = cut
    fast.decoder = tokenizers.decoders.ByteLevel()
    return fast


def merge_rules(tokenizer):
    """Gives the rules of a byte-pair tokenizer, without header and empty lines.

    Args:
        tokenizer: a `keras_hub.tokenizers.BytePairTokenizer`.

    Returns:
        List of tuples of two `str`, the first rule first.
    """
    lines = filter(is_merge_rule, tokenizer.merges)
    return [tuple(line.split(" ")) for line in lines]


def is_merge_rule(line):
    """Tells a rule of a merges file from an empty line and from its header.

    Args:
        line: `str`.

    Returns:
        `bool`.
    """
    return bool(line) and not line.startswith("#version")


def _word_piece(tokenizer):
    """BERT's tokenizer."""
    _check_vocabulary(tokenizer)
    ids = {token: i for i, token in enumerate(tokenizer.vocabulary)}
    fast = tokenizers.Tokenizer(
        tokenizers.models.WordPiece(vocab=ids, unk_token=tokenizer.oov_token)
    )
    fast.add_special_tokens(tokenizer.special_tokens)
    fast.normalizer = tokenizers.normalizers.BertNormalizer(
        lowercase=tokenizer.lowercase, strip_accents=tokenizer.strip_accents
    )
    fast.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    return fast


def _check_vocabulary(tokenizer):
    if tokenizer.vocabulary is None:
        raise ValueError(
            f"Expected a {type(tokenizer).__name__} with a vocabulary. Received one "
            "without: load it from a preset or pass one."
        )
