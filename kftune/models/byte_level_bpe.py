"""GPT-2's byte-level BPE, fast: KerasHub's vocabulary in the `tokenizers` library.

KerasHub cuts text into words differently from GPT-2 where white space meets white
space, and in a graph its merging is quadratic in the length of a word.
"""

import keras_hub
import tokenizers

# Other byte-pair tokenizers cut text into words by other rules than GPT-2's.
GPT2_LIKE_TOKENIZERS = (
    keras_hub.models.BartTokenizer,
    keras_hub.models.GPT2Tokenizer,
    keras_hub.models.RobertaTokenizer,
)


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
    if tokenizer.vocabulary is None:
        raise ValueError(
            f"Expected a {type(tokenizer).__name__} with a vocabulary. Received one "
            "without: load it from a preset or pass vocabulary and merges."
        )
    merges = [merge for merge in tokenizer.merges if _is_rule(merge)]
    bpe = tokenizers.Tokenizer(
        tokenizers.models.BPE(
            vocab=dict(tokenizer.vocabulary),
            merges=[tuple(merge.split(" ")) for merge in merges],
        )
    )
    bpe.add_special_tokens(list(tokenizer.unsplittable_tokens))
    bpe.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=tokenizer.add_prefix_space
    )
    return bpe


def _is_rule(merge):
    """Leaves out empty lines and the header of GPT-2's own merges file."""
    return merge and not merge.startswith("#version")
