"""What is built from a tokenizer and kept."""


class BuiltOnce:
    """Builds something from a tokenizer, again only when its vocabulary changes.

    Args:
        build: function of a `keras_hub.tokenizers.Tokenizer`.

    Example:
    ```python
    fast = BuiltOnce(fast_tokenizer)
    fast(tokenizer) is fast(tokenizer)  # True
    ```
    """

    def __init__(self, build):
        self._build = build
        self._built = None
        self._source = (None, None)

    def __call__(self, tokenizer):
        """Gives what was built, or builds it.

        Args:
            tokenizer: a `keras_hub.tokenizers.Tokenizer`.

        Returns:
            What `build` returned.
        """
        source = (tokenizer, getattr(tokenizer, "vocabulary", None))
        if any(x is not y for x, y in zip(source, self._source, strict=True)):
            self._built, self._source = self._build(tokenizer), source
        return self._built
