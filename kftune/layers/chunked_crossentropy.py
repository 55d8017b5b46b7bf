"""The loss of an output layer, without the logits of all tokens at once."""

from keras import ops

from kftune.layers.read_value import read_value
from kftune.layers.token_crossentropy import (
    token_crossentropy,
    token_crossentropy_gradient,
)

# 32 MiB of float32: large enough for quick products, small against a model. A table
# that is trained has its gradient read and written with each chunk: half as many.
_MAX_LOGITS = 2**23
_MAX_LOGITS_IN_TRAINING = 2**24


def chunked_crossentropy(
    states,
    table,
    labels,
    weights,
    *,
    bias=None,
    label_smoothing=0.0,
    with_gradient=True,
    trains_table=True,
    max_logits=None,
):
    """Computes the loss of tokens, and how many are right, a chunk of them at a time.

    Exact: the sums are those of all logits `states @ table.T + bias`, of which there
    are never more than `max_logits`. Tokens of weight 0 cost nothing: the chunks hold
    all others, and there are as many as these need. The gradient is computed together
    with the loss, so that the logits are made only once. Letters: N tokens, D hidden,
    V vocabulary.

    Args:
        states: float tensor `(N, D)`, what the output layer takes.
        table: float tensor `(V, D)`, the output layer's kernel, transposed.
        labels: integer tensor `(N,)`, from 0 to V - 1, padding included.
        weights: float tensor `(N,)`, 0 for padding.
        bias: float tensor `(V,)`, which is not trained, or `None`.
        label_smoothing: `float` in `[0, 1)`, see `SmoothedCrossentropy`.
        with_gradient: `bool`. False saves the work for a loss that is only looked at.
        trains_table: `bool`. False: the table gets no gradient, and costs none.
        max_logits: `int`, the most numbers in the logits of a chunk; `None` for 2²⁴ if
            the table gets a gradient, else 2²³.

    Returns:
        float32 tensor `(2,)`: the sum of weight times loss in nats, and the sum of the
        weights of those tokens whose label has the largest logit. Only the first has a
        gradient.

    Reference:
        Wijmans et al., 2024, "Cut Your Losses in Large-Vocabulary Language Models",
        https://arxiv.org/abs/2411.09009.

    Example:
    ```python
    states, table = np.ones((6, 4), "float32"), np.eye(9, 4, dtype="float32")
    labels = np.array([0, 1, 2, 3, 4, 5])
    loss, right = chunked_crossentropy(states, table, labels, np.ones(6, "float32"))
    ```
    """
    states, table = read_value(states), read_value(table)
    weights = ops.cast(weights, "float32")
    if max_logits is None:
        trains = with_gradient and trains_table
        max_logits = _MAX_LOGITS_IN_TRAINING if trains else _MAX_LOGITS
    chunks = _Chunks(ops.cast(labels, "int32"), weights, table.shape[0], max_logits)

    def loop(states, table):
        return chunks.loop(
            states,
            table,
            bias,
            label_smoothing,
            with_gradient=with_gradient,
            trains_table=trains_table,
        )

    if not with_gradient:
        return loop(states, table)[0]
    if trains_table:
        return ops.custom_gradient(_with_gradient(loop))(states, table)
    return ops.custom_gradient(_with_gradient(lambda x: loop(x, table)))(states)


def _with_gradient(loop):
    """Makes a function that returns the sums and how to get their gradients."""

    def sums_of(*tensors):
        sums, *gradients = loop(*tensors)

        def gradient(*inputs, upstream=None):
            # Only some backends name the gradient of the sums.
            factor = (inputs[-1] if upstream is None else upstream)[0]
            return tuple(
                ops.cast(factor * value, tensor.dtype)
                for value, tensor in zip(gradients, tensors, strict=True)
            )

        return sums, gradient

    return sums_of


class _Chunks:
    """The tokens that count, in chunks of one size.

    Places 0 to N - 1 are those of the tokens, N is one more that fills up the last
    chunk and counts nothing.
    """

    def __init__(self, labels, weights, vocabulary_size, max_logits):
        count = ops.shape(labels)[0]
        most = max(1, max_logits // vocabulary_size)
        number = -(-count // most)
        self.size = -(-count // number)
        self.labels, self.weights = _one_more(labels), _one_more(weights)
        self.counts = ops.not_equal(weights, 0)
        self.num_tokens = ops.sum(ops.cast(self.counts, "int32"))
        missing = number * self.size - count
        first = ops.argsort(ops.logical_not(self.counts))
        self.places = ops.concatenate(
            [ops.cast(first, "int32"), ops.full((missing,), count, dtype="int32")]
        )

    def loop(self, states, table, bias, smoothing, *, with_gradient, trains_table):
        """Returns the sums and, as asked for, gradients of states and of table."""
        transposed = ops.transpose(table)

        def chunk(start, sums, rows, *table_gradient):
            places = ops.slice(self.places, (start,), (self.size,))
            labels, weights = (
                ops.take(x, places, axis=0) for x in (self.labels, self.weights)
            )
            inputs = ops.cast(ops.take(rows, places, axis=0), table.dtype)
            logits = ops.cast(ops.matmul(inputs, transposed), "float32")
            if bias is not None:
                logits = logits + ops.cast(bias, "float32")
            losses, probabilities = token_crossentropy(logits, labels, smoothing)
            right = ops.cast(ops.argmax(logits, axis=-1), "int32") == labels
            right = ops.cast(right, "float32")
            sums = sums + ops.sum(weights * ops.stack([losses, right]), axis=-1)
            if with_gradient:
                # Weights of 1 at most: float16 has room for little else.
                scale = ops.max(ops.abs(weights))
                gradient = token_crossentropy_gradient(
                    probabilities, labels, smoothing, ops.divide_no_nan(weights, scale)
                )
                gradient = ops.cast(gradient, table.dtype)
                of_inputs = scale * ops.cast(ops.matmul(gradient, table), "float32")
                rows = ops.scatter_update(rows, places[:, None], of_inputs)
                if trains_table:
                    more = ops.matmul(ops.transpose(gradient), inputs)
                    more = scale * ops.cast(more, "float32")
                    table_gradient = [table_gradient[0] + more]
            return start + self.size, sums, rows, *table_gradient

        # The states of a chunk become their gradients in their place: the next chunk
        # waits for that, where TensorFlow would compute several at a time.
        rows = ops.cast(_one_more(states), "float32")
        state = [ops.convert_to_tensor(0), ops.zeros(2), rows]
        if with_gradient and trains_table:
            state.append(ops.zeros(ops.shape(table), "float32"))
        _, sums, rows, *table_gradient = ops.while_loop(
            lambda start, *_: start < self.num_tokens, chunk, tuple(state)
        )
        rows = ops.where(self.counts[:, None], rows[:-1], 0.0)
        return sums, rows, *table_gradient


def _one_more(tensor):
    """Appends a zero, or a row of zeros."""
    paddings = [(0, 1), *[(0, 0)] * (len(tensor.shape) - 1)]
    return ops.pad(tensor, paddings)
