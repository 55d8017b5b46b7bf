"""Perplexity: how many tokens a language model wavers between, on average."""

import keras
import numpy as np


def perplexity(model, data, output="next_token"):
    """Perplexity of the next tokens under a language model.

    The exponential of the mean negative log-likelihood, in nats, of the tokens that
    have a weight. It depends on the tokenizer: compare models with the same one.

    Args:
        model: `keras.Model` that gives next-token logits [B, T, V], or a dict of
            outputs with them, such as `kftune.models.GPT2CausalLM`.
        data: sequence of `(x, y, sample_weight)`, such as a `keras.utils.PyDataset`;
            `y` int [B, T] are the next tokens, `sample_weight` float or bool [B, T] is
            0 for a token that does not count; or both are dicts with `output`.
        output: str, name of the logits where there are dicts.

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
        logits, y, weights = (
            each[output] if isinstance(each, dict) else each
            for each in (model.predict_on_batch(x), y, weights)
        )
        loss = keras.ops.sparse_categorical_crossentropy(
            y, np.asarray(logits, "float32"), from_logits=True
        )
        total += float(np.sum(keras.ops.convert_to_numpy(loss) * weights))
        count += float(np.sum(weights))
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
