"""Perplexity: how many tokens a language model wavers between, on average."""

import keras
import numpy as np


def perplexity(model, data, output="next_token"):
    """Perplexity of the next tokens under a language model.

    The exponential of the mean negative log-likelihood, in nats, of the tokens that
    have a weight. It depends on the tokenizer: compare models with the same one.

    Args:
        model: `keras.Model` that gives next-token logits [B, T, V], or a dict of
            outputs with them.
        data: iterable of `(x, y, sample_weight)`, such as a `keras.utils.PyDataset`;
            `y[output]` int [B, T] are the next tokens, `sample_weight[output]` float
            [B, T] is 0 for a token that does not count.
        output: str, name of the logits among the outputs.

    Returns:
        float, 1 (each token was certain) to infinity.

    Raises:
        ValueError: If no token has a weight.

    Example:
    ```python
    perplexity(model, validation_data)
    ```
    """
    total = count = 0.0
    for i in range(len(data)):
        x, y, weights = data[i]
        logits = model.predict_on_batch(x)
        logits = logits[output] if isinstance(logits, dict) else logits
        loss = keras.ops.sparse_categorical_crossentropy(
            y[output], np.asarray(logits, "float32"), from_logits=True
        )
        total += float(np.sum(keras.ops.convert_to_numpy(loss) * weights[output]))
        count += float(np.sum(weights[output]))
    if not count:
        raise ValueError("Expected tokens with a weight. Received: none")
    return float(np.exp(total / count))


def perplexities(model, data):
    """Perplexity of the next tokens on several datasets.

    Args:
        model: as for `perplexity`.
        data: `dict` of name to dataset.

    Returns:
        `dict` of name to float.

    Example:
    ```python
    score = ScoreCallback(lambda model: perplexities(model, held_out))
    ```
    """
    return {name: perplexity(model, batches) for name, batches in data.items()}
