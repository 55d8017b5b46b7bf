"""Sources and targets as users pass them to an encoder-decoder's preprocessor."""

import numpy as np
import tensorflow as tf

from kftune.models.texts import as_texts


def text_pairs(x, y, sample_weight):
    """Finds sources and targets.

    Args:
        x: source texts, or a dict of `encoder_text` and `decoder_text`.
        y: target texts, or `None` beside such a dict.
        sample_weight: must be `None`.

    Returns:
        Tuple of the source and the target texts, as they came.

    Raises:
        ValueError: if targets are missing or weights are given.
    """
    if isinstance(x, dict) and y is None:
        x, y = x["encoder_text"], x["decoder_text"]
    if isinstance(x, dict) or y is None or sample_weight is not None:
        raise ValueError(
            "Expected source texts and target texts, or a dict of encoder_text and "
            "decoder_text, without sample weights. Received: "
            f"x={type(x).__name__}, y={type(y).__name__}, "
            f"sample_weight={type(sample_weight).__name__}"
        )
    return x, y


def empty_texts(sources):
    """Makes an empty text for each source.

    Args:
        sources: strings in any container, one string, or a symbolic tensor.

    Returns:
        List of `""`, one `""`, or a symbolic tensor.
    """
    if tf.is_symbolic_tensor(sources):
        return tf.fill(tf.shape(sources), "")
    texts, several = as_texts(sources)
    return [""] * len(texts) if several else ""


def check_as_many(sources, targets):
    """Checks that rows come in pairs.

    In a graph the number of rows is not known yet, and one text has none.

    Args:
        sources: tensor or array of token ids.
        targets: the same.

    Raises:
        ValueError: if there are not as many.
    """
    if not isinstance(sources, np.ndarray):
        return
    counts = [len(rows) if rows.ndim > 1 else "one" for rows in (sources, targets)]
    if counts[0] != counts[1]:
        raise ValueError(
            "Expected as many targets as sources. Received: "
            f"{counts[0]} sources and {counts[1]} targets"
        )
