"""Which tokens stand around and behind sources and targets."""

import keras_hub

from kftune.models.tokenizers.translation_tokenizer import TranslationTokenizer


def side_ends(tokenizer, side):
    """Gives the ids before and after a text.

    A `TranslationTokenizer` knows them. BART's are `<s> source </s>` and `</s> <s>
    target </s>`; other KerasHub tokenizers give `source, end` and `start, target, end`.

    Args:
        tokenizer: a `keras_hub.tokenizers.Tokenizer`.
        side: `str`. `"source"` or `"target"`.

    Returns:
        List of two lists of `int`.

    Raises:
        ValueError: if the tokenizer lacks a start or end token.
    """
    if isinstance(tokenizer, TranslationTokenizer):
        return [getattr(tokenizer, f"{side}_{end}_ids") for end in ("start", "end")]
    start, end = (_token_id(tokenizer, kind) for kind in ("start", "end"))
    if isinstance(tokenizer, keras_hub.models.BartTokenizer):
        return [[start] if side == "source" else [end, start], [end]]
    return [[] if side == "source" else [start], [end]]


def pad_id(tokenizer, side):
    """Gives the id that fills up rows of a side; vocabularies may differ.

    Args:
        tokenizer: a `keras_hub.tokenizers.Tokenizer`.
        side: `str`. `"source"` or `"target"`.

    Returns:
        `int`.
    """
    if isinstance(tokenizer, TranslationTokenizer) and side == "target":
        return tokenizer.target_pad_token_id
    return tokenizer.pad_token_id


def _token_id(tokenizer, kind):
    token_id = getattr(tokenizer, f"{kind}_token_id", None)
    if token_id is None:
        raise ValueError(
            f"Expected a tokenizer with a {kind}_token_id. Received: "
            f"{type(tokenizer).__name__} without one"
        )
    return token_id
