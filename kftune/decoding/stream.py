"""Text as it is generated."""

import itertools

import numpy as np

from kftune.decoding.text_pieces import TextPieces
from kftune.models.n_best import own_stop_token_ids
from kftune.models.next_token import generated_tokens


def stream(task, prompt, *, max_length=None, max_new_tokens=None, stop_strings=()):
    """Generates a text and gives it piece by piece, as soon as it is certain.

    The pieces together are the text of `task.generate` with `strip_prompt`, up to the
    first stop string. No piece ends within a character. Every step is a call of its
    own, so that a whole text takes longer than with `generate`.

    Args:
        task: `kftune.models.LanguageModel` with a preprocessor, compiled with a sampler
            that takes one token at a time, such as `kftune.decoding.Sampling`.
        prompt: str; the source text for an encoder-decoder.
        max_length: int. Tokens of the generated row at most, prompt included; by
            default the preprocessor's length. Another one is compiled anew.
        max_new_tokens: int. Tokens that are generated at most; `None` for no limit but
            `max_length`.
        stop_strings: str, or sequence of str. The text ends before the first of them.

    Yields:
        str, never empty.

    Raises:
        TypeError: if the prompt is not one string, or if the sampler is a search.
        ValueError: if the prompt has no token or is too long, or if a stop string is
            empty.

    Example:
    ```python
    task = kftune.models.GPT2CausalLM.from_preset("gpt2_tiny_en")
    task.compile(sampler=Sampling(0.8, top_p=0.9))
    for piece in stream(task, "The film", stop_strings=["."]):
        print(piece, end="", flush=True)
    ```
    """
    if not isinstance(prompt, str):
        raise TypeError(
            f"Expected one prompt, a str. Received: {type(prompt).__name__}. "
            "kftune.decoding.generate_texts takes many."
        )
    ids = []
    pieces = TextPieces(stop_strings)
    inputs = task.preprocessor.generate_preprocess([prompt], sequence_length=max_length)
    tokens = generated_tokens(task, inputs, own_stop_token_ids(task))
    for token in itertools.islice(tokens, max_new_tokens):
        ids.append(token)
        if piece := pieces.grow(text_of(task, ids)):
            yield piece
        if pieces.is_done:
            return
    if ids and (piece := pieces.grow(text_of(task, ids), is_last=True)):
        yield piece


def text_of(task, ids):
    """Gives the text of generated tokens.

    Args:
        task: `kftune.models.LanguageModel` with a preprocessor.
        ids: list of int.

    Returns:
        str; bytes that are no UTF-8 are U+FFFD.
    """
    rows = {
        task.generated_name: np.array([ids], "int32"),
        task.generated_mask_name: np.ones((1, len(ids)), bool),
    }
    return str(task.preprocessor.generate_postprocess(rows)[0])
