"""Batches for a short trial, out of whatever `fit` takes."""

import itertools

import keras


def trial_batches(task, data, batch_size=32):
    """Gives batches without end, and leaves the dataset where it is.

    Args:
        task: `keras.Model`; strings are tokenised and label names numbered if it is a
            task that does so in `fit`.
        data: `keras.utils.PyDataset`, whose batches come in the order of its present
            epoch, again and again; or a tuple `(x, y)` or `(x, y, sample_weight)` of
            arrays, lists, or dicts of these, in their own order.
        batch_size: int, rows a batch of a tuple.

    Yields:
        Tuples of `x`, `y` and `sample_weight`, as `keras.Model.train_on_batch` takes
        them.

    Raises:
        TypeError: if the data is neither.

    Example:
    ```python
    x, y, sample_weight = next(trial_batches(task, (texts, labels)))
    ```
    """
    if isinstance(data, keras.utils.PyDataset):
        # Not by its iterator, which would go on to other epochs.
        for index in _indices(data.num_batches):
            yield keras.utils.unpack_x_y_sample_weight(data[index])
        return
    if not isinstance(data, tuple):
        raise TypeError(
            "Expected a keras.utils.PyDataset, such as kftune.data.LengthBucketed, or "
            f"a tuple (x, y) or (x, y, sample_weight). Received: {type(data).__name__}"
        )
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    number = len(next(iter(y.values())) if isinstance(y, dict) else y)
    for batch in _indices(-(-number // batch_size)):
        rows = slice(batch * batch_size, (batch + 1) * batch_size)
        yield _prepared(task, *(_cut(part, rows) for part in (x, y, sample_weight)))


def _indices(number):
    """0, 1, ... and from 0 again; without end if there is no number."""
    return itertools.count() if number is None else itertools.cycle(range(number))


def _cut(part, rows):
    """Some rows of an array or list, or of each in a dict."""
    if isinstance(part, dict):
        return {name: values[rows] for name, values in part.items()}
    return None if part is None else part[rows]


def _prepared(task, x, y, sample_weight):
    """What a task makes of its inputs in `fit`, before Keras sees them."""
    if hasattr(task, "prepare_labels"):
        y = task.prepare_labels(y)
    if hasattr(task, "preprocess_samples"):
        return keras.utils.unpack_x_y_sample_weight(
            task.preprocess_samples(x, y, sample_weight)
        )
    return x, y, sample_weight
