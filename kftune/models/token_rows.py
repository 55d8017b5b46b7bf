"""From texts to rows of token ids outside a TensorFlow graph, and to padded arrays."""

import numpy as np

from kftune.models.built_once import BuiltOnce
from kftune.models.fast_tokenizers import fast_tokenizer
from kftune.padding import pad_rows

_TEXTS_AT_ONCE = 4096


class RowTokenizer:
    """Tokenises lists of texts; with transformers' ids where kftune has a fast way.

    See `kftune.models.fast_tokenizers`; for other models the KerasHub tokenizer runs.
    What was built for a tokenizer is kept until its vocabulary changes.
    """

    def __init__(self):
        self._fast = BuiltOnce(fast_tokenizer)

    def __call__(self, tokenizer, texts):
        """Tokenises texts.

        Args:
            tokenizer: a `keras_hub.tokenizers.Tokenizer`.
            texts: list of N `str`.

        Yields:
            N lists of `int`, without start and end token.
        """
        fast = self._fast(tokenizer)
        for first in range(0, len(texts), _TEXTS_AT_ONCE):
            batch = texts[first : first + _TEXTS_AT_ONCE]
            if fast is None:
                yield from tokenizer.tokenize(batch)
            else:
                for encoding in fast.encode_batch_fast(batch):
                    yield encoding.ids


def padded(rows, length, pad_token_id):
    """Pads rows on the right.

    Args:
        rows: list of N lists or arrays of `int`, none longer than T.
        length: `int`. T.
        pad_token_id: `int`.

    Returns:
        Tuple of token ids, `int32` array `(N, T)`, and the mask, `bool` array of the
        same shape, True where a real token stands.
    """
    lengths = np.array([len(row) for row in rows], "int32")
    return pad_rows(rows, length, pad_token_id), np.arange(length) < lengths[:, None]


def special_ids(preprocessor, kind):
    """Gives what a preprocessor puts before or after a text.

    Args:
        preprocessor: one with `tokenizer`, `add_start_token` and `add_end_token`.
        kind: `str`, `"start"` or `"end"`.

    Returns:
        List of one `int` or of none.

    Raises:
        ValueError: if the tokenizer has no such token.
    """
    if not getattr(preprocessor, f"add_{kind}_token"):
        return []
    token_id = getattr(preprocessor.tokenizer, f"{kind}_token_id", None)
    if token_id is None:
        raise ValueError(
            f"{type(preprocessor.tokenizer).__name__} has no {kind} token. Pass "
            f"add_{kind}_token=False. Received: add_{kind}_token=True"
        )
    return [token_id]


def check_room(rows, length):
    """Checks that prompts fit into the rows that are generated.

    Args:
        rows: list of lists of `int`.
        length: `int`, in tokens.

    Raises:
        ValueError: if one is longer; names the first by index.
    """
    for index, row in enumerate(rows):
        if len(row) > length:
            raise ValueError(
                f"Expected prompts of at most {length} tokens, the length of what is "
                f"generated, prompt included. Received {len(row)} tokens at index "
                f"{index}. Pass a larger max_length, or shorter prompts."
            )
