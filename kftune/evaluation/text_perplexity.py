"""Perplexity of whole texts, of any length, by windows that overlap."""

import dataclasses

import numpy as np

from kftune.evaluation.row_nats import row_nats
from kftune.models.texts import list_of_texts
from kftune.models.token_rows import special_ids


@dataclasses.dataclass(frozen=True)
class TextPerplexity:
    """How well a language model foresees texts. Printed, it is one line.

    Attributes:
        nats: float, the negative log-likelihood of all scored tokens together.
        tokens: int, how many tokens were scored.
        words: int, words of the texts, as white space parts them.
        window: int, tokens that the model sees at once.
        stride: int, tokens from the beginning of a window to that of the next.

    Example:
    ```python
    score = kftune.evaluation.text_perplexity(task, ["A fine film."])
    score.by_token, score.by_word
    ```
    """

    nats: float
    tokens: int
    words: int
    window: int
    stride: int

    @property
    def by_token(self):
        """Float from 1. Compares models that have the same tokenizer."""
        return float(np.exp(self.nats / self.tokens))

    @property
    def by_word(self):
        """Float from 1, shared out to words. Compares tokenizers, too."""
        return float(np.exp(self.nats / self.words))

    def __str__(self):
        return (
            f"perplexity {self.by_token:.2f} a token, {self.by_word:.2f} a word "
            f"({self.tokens:,} tokens, {self.words:,} words, windows of {self.window}, "
            f"stride {self.stride})"
        )


def text_perplexity(task, texts, *, window=None, stride=None, batch_tokens=4096):
    """Scores texts, each by itself, every token of them once.

    A text of more tokens than a window has is read in windows that begin `stride`
    tokens apart; of each but the first only the tokens that no window before had are
    scored, so that they have `window - stride` tokens before them at least. A smaller
    stride gives more context and takes longer. The start token, if the preprocessor
    adds one, is context; without it the first token of a text is not scored.

    Args:
        task: `kftune.models.GPT2CausalLM` with a preprocessor.
        texts: sequence of N str.
        window: int from 2; `None` for the preprocessor's `sequence_length`.
        stride: int from 1, below `window`; `None` for half of it.
        batch_tokens: int. Tokens of a batch at most, padding included.

    Returns:
        `TextPerplexity`.

    Raises:
        TypeError: if it is one text.
        ValueError: if window and stride do not fit, or nothing can be scored.

    Example:
    ```python
    task = kftune.models.GPT2CausalLM.from_preset("gpt2_tiny_en")
    score = text_perplexity(task, ["A fine film.", "A bore."], stride=64)
    print(score.by_token, score.by_word)
    ```
    """
    texts = list_of_texts(texts)
    preprocessor = task.preprocessor
    window = preprocessor.sequence_length if window is None else window
    stride = window // 2 if stride is None else stride
    _check(task, window, stride)
    windows = [
        each
        for row in preprocessor.prompt_rows(texts)
        for each in _windows(row, window, stride)
    ]
    pieces, scored = ([each[i] for each in windows] for i in (0, 1))
    nats = float(row_nats(task, pieces, scored, window, batch_tokens).sum())
    tokens = sum(scored)
    words = sum(len(text.split()) for text in texts)
    if not (tokens and words):
        raise ValueError(
            "Expected texts of a word or more, and of tokens that have one before "
            f"them. Received: {len(texts)} texts with {words} words and {tokens} such "
            f"tokens, start token: {special_ids(preprocessor, 'start')}"
        )
    return TextPerplexity(nats, tokens, words, window, stride)


def _check(task, window, stride):
    longest = task.backbone.max_positions
    if not (2 <= window <= longest and 1 <= stride < window):
        raise ValueError(
            f"Expected a window from 2 to {longest}, the positions of the model, and a "
            f"stride from 1 to below it. Received: window={window}, stride={stride}"
        )


def _windows(row, window, stride):
    """Pieces of a row, each with how many of its last tokens are scored."""
    end = 1  # what nothing stands before is not scored
    for start in range(0, len(row), stride):
        piece = row[start : start + window]
        if (new := start + len(piece) - end) > 0:
            yield piece, new
        end = max(end, start + len(piece))
        if end >= len(row):
            return
