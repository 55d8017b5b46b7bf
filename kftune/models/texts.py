"""Brings what users pass as text into one form."""

import numpy as np
from ftfy.fixes import fix_surrogates

from kftune.error_text import first_few, shortened


def as_texts(x):
    """Makes a list of `str` out of any usual container of strings.

    Args:
        x: one `str` or `bytes`, or several in a list, a NumPy array, an eager
            TensorFlow tensor or a column of a dataset. `bytes` are read as UTF-8;
            what is not UTF-8 becomes U+FFFD, and so does half a surrogate pair.

    Returns:
        Tuple of the list and a `bool`: True if several were passed, False for one.

    Raises:
        TypeError: if something is not a string; names the first ones by index.
    """
    if hasattr(x, "numpy"):
        x = x.numpy()
    if isinstance(x, np.ndarray):
        x = x.tolist()
    if isinstance(x, str | bytes):
        return [_decoded(x)], False
    if not hasattr(x, "__iter__") or isinstance(x, dict):
        raise TypeError(
            f"Expected strings. Received: {type(x).__name__}: {shortened(x)}"
        )
    texts = list(x)
    wrong = [i for i, text in enumerate(texts) if not isinstance(text, str | bytes)]
    if wrong:
        shown = first_few(
            wrong, 3, show=lambda i: f"{shortened(texts[i])} at index {i}"
        )
        raise TypeError(
            "Expected strings only, one for each example (text pairs are not "
            f"supported). Received: {shown}"
        )
    return [_decoded(text) for text in texts], True


def list_of_texts(texts):
    """Makes a list of several texts; of one `str` it would be one of letters.

    Args:
        texts: iterable of `str`.

    Returns:
        List of `str`.

    Raises:
        TypeError: if it is one text.
    """
    if isinstance(texts, str | bytes):
        raise TypeError(
            f"Expected several texts. Received: one, {shortened(texts)}; pass it in a "
            "list."
        )
    return list(texts)


def _decoded(text):
    if isinstance(text, bytes):
        return text.decode("utf-8", "replace")
    # JSON can hold half a character, which no tokenizer knows.
    return fix_surrogates(text)
