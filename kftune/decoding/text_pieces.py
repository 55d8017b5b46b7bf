"""A growing text in pieces that stay as they are."""

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class TextPieces:
    """Tells which part of a text that grows at its end is final.

    Held back are characters whose bytes are not complete yet, and what may become a
    stop string.

    Args:
        stop_strings: str, or sequence of str. The text ends before the first of them.

    Attributes:
        is_done: bool, whether a stop string was found.

    Raises:
        ValueError: if a stop string is empty.

    Example:
    ```python
    pieces = TextPieces(["END"])
    pieces.grow("a fine"), pieces.grow("a fine E"), pieces.grow("a fine Egg")
    # ("a fine", " ", "Egg")
    ```
    """

    def __init__(self, stop_strings=()):
        if isinstance(stop_strings, str):
            stop_strings = [stop_strings]
        self.stop_strings = tuple(stop_strings)
        if "" in self.stop_strings:
            raise ValueError(
                "Expected stop strings of a character or more. Received: "
                f"{list(self.stop_strings)}"
            )
        self.is_done = False
        self._given = 0

    def grow(self, text, is_last=False):
        """Takes the whole text so far, and gives what is new and final of it.

        Args:
            text: str.
            is_last: bool. True: the text grows no more, and nothing is held back.

        Returns:
            str, perhaps empty.
        """
        found = [text.find(stop) for stop in self.stop_strings if stop in text]
        end = len(text) if is_last else self._final_length(text)
        # Where another stop string may begin before, its end is awaited.
        if found and min(found) <= end:
            self.is_done, end = True, min(found)
        piece = text[self._given : end]
        self._given = max(self._given, end)
        return piece

    def _final_length(self, text):
        """How much of the text can neither change nor be a part of a stop string."""
        text = text.rstrip(_REPLACEMENT)
        held = (
            length
            for stop in self.stop_strings
            for length in range(1, len(stop))
            if text.endswith(stop[:length])
        )
        return len(text) - max(held, default=0)
