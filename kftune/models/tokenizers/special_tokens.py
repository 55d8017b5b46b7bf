"""The one place that names special tokens to KerasHub, whose method is private."""


def set_special_tokens(tokenizer, **tokens):
    """Sets attributes with special tokens; their ids follow with the vocabulary.

    Args:
        tokenizer: `keras_hub.tokenizers.Tokenizer`, before its constructor ran.
        **tokens: `str`, by the attribute: `end_token` gives `end_token_id`, too.
    """
    for attribute, token in tokens.items():
        tokenizer._add_special_token(token, attribute)
