"""KerasHub's vocabularies in the `tokenizers` library: transformers' ids, fast.

KerasHub cuts and folds text a little differently: white space before line breaks for
GPT-2, ligatures and ellipses for BERT. In a graph its byte-pair merging is quadratic in
the length of a word.
"""

import keras_hub
import tokenizers

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
    if isinstance(tokenizer, _BYTE_LEVEL):
        return byte_level_bpe(tokenizer)
    return _word_piece(tokenizer) if isinstance(tokenizer, _WORD_PIECE) else None


def byte_level_bpe(tokenizer):
    """Builds GPT-2's tokenizer from the vocabulary and merges of a KerasHub one.

    Args:
        tokenizer: `keras_hub.models.GPT2Tokenizer`, or one of BART or RoBERTa, with its
            vocabulary loaded.

    Returns:
        `tokenizers.Tokenizer` with the same ids. It adds no start or end token.

    Raises:
        ValueError: if the tokenizer has no vocabulary yet.
    """
    _check_vocabulary(tokenizer)
    merges = filter(is_merge_rule, tokenizer.merges)
    fast = tokenizers.Tokenizer(
        tokenizers.models.BPE(
            vocab=dict(tokenizer.vocabulary),
            merges=[tuple(merge.split(" ")) for merge in merges],
        )
    )
    fast.add_special_tokens(list(tokenizer.unsplittable_tokens))
    fast.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=tokenizer.add_prefix_space
    )
    fast.decoder = tokenizers.decoders.ByteLevel()
    return fast


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
