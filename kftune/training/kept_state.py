"""Trains a model for a trial, and takes it back."""

import contextlib

import keras
import numpy as np

from kftune.training.random_state import get_random_state, set_random_state

_SETTINGS = ("optimizer", "train_function", "steps_per_execution", "stop_training")


@contextlib.contextmanager
def kept_state(model):
    """Brings a model back, when a block ends, to where it was when the block began.

    Weights, moving statistics, the states of metrics and of all random generators (also
    of those that no model holds) get their values again, to the bit, also after an
    error. The optimizer and the train function become the same objects again, so that
    nothing is compiled anew; their own state is left alone. Give the model another
    optimizer in the block, and None as its `train_function`. A copy of all weights is
    held in memory meanwhile.

    Args:
        model: compiled and built `keras.Model`.

    Yields:
        Nothing.

    Example:
    ```python
    with kept_state(model):
        model.optimizer, model.train_function = keras.optimizers.SGD(0.1), None
        model.train_on_batch(x, y)
    ```
    """
    settings = {name: getattr(model, name) for name in _SETTINGS}
    variables = [*model.variables, *model.metrics_variables]
    # Copies: of some variables Keras would give a view.
    values = [np.array(keras.ops.convert_to_numpy(each)) for each in variables]
    random_state = get_random_state()
    # Where an optimizer averages weights, JAX lets both share memory, which the first
    # step of another optimizer gives away.
    _assign(variables, values)
    try:
        yield
    finally:
        for name, value in settings.items():
            setattr(model, name, value)
        # Of metrics that are built in their first step there was no state to keep.
        model.reset_metrics()
        _assign(variables, values)
        set_random_state(random_state)


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
