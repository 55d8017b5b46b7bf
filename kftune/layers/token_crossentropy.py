"""The cross-entropy of tokens and its gradient, by their formulas.

Logits are by far the largest tensor of a step, so what counts is how often they are
read and written; automatic differentiation does that more often than these formulas.
Letters: N tokens, V vocabulary.
"""

from keras import ops


def token_crossentropy(logits, labels, smoothing):
    """Computes the loss of each token.

    Args:
        logits: float32 tensor `(N, V)`.
        labels: `int32` tensor `(N,)`, from 0 to V - 1.
        smoothing: `float` in `[0, 1)`, share of the probability that all V get alike.

    Returns:
        Tuple of losses in nats `(N,)` and probabilities `(N, V)`, float32.
    """
    probabilities = ops.softmax(logits)
    # Smaller numbers are rounded less.
    shifted = logits - ops.max(logits, axis=-1, keepdims=True)
    # The largest probability is at least 1 / V, which has an exact logarithm.
    logsumexp = -ops.log(ops.max(probabilities, axis=-1))
    own = ops.take_along_axis(shifted, labels[:, None], axis=-1)[:, 0]
    losses = logsumexp - (1 - smoothing) * own
    if smoothing:
        losses = losses - smoothing * ops.mean(shifted, axis=-1)
    return losses, probabilities


def token_crossentropy_gradient(probabilities, labels, smoothing, factors):
    """Computes the gradient of the losses with respect to the logits.

    Args:
        probabilities: float32 tensor `(N, V)`, see `token_crossentropy`.
        labels: as there.
        smoothing: as there.
        factors: float32 tensor `(N,)`, gradient with respect to each loss.

    Returns:
        float32 tensor `(N, V)`.
    """
    factors, labels = factors[:, None], labels[:, None]
    share = smoothing / probabilities.shape[-1]
    own = ops.take_along_axis(probabilities, labels, axis=-1)
    own = (own - share - (1 - smoothing)) * factors
    rows = ops.arange(ops.shape(labels)[0], dtype="int32")[:, None]
    return ops.scatter_update(
        (probabilities - share) * factors,
        ops.concatenate([rows, labels], axis=-1),
        own[:, 0],
    )
