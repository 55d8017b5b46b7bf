"""Dropout layers that are switched off without a trace in their config.

A rate of 0 would be saved with the model. So a layer keeps its rate, and its `call` is
covered by one that returns its input.
"""


def cover(dropout):
    """Switches a dropout layer off.

    Args:
        dropout: `keras.layers.Dropout` or any layer of one input.
    """
    dropout.call = _pass_on


def uncover(dropout):
    """Switches on again what `cover` switched off.

    Args:
        dropout: any layer.
    """
    if _is_covered(dropout):
        del dropout.call


def drops(dropout, training):
    """Tells whether a dropout layer drops anything.

    Args:
        dropout: `keras.layers.Dropout`.
        training: `bool` or `None`.

    Returns:
        `bool`.

    Example:
    ```python
    dropout = keras.layers.Dropout(0.1)
    drops(dropout, training=True)  # True
    cover(dropout)
    drops(dropout, training=True)  # False
    ```
    """
    return bool(training) and dropout.rate > 0 and not _is_covered(dropout)


def _is_covered(dropout):
    return vars(dropout).get("call") is _pass_on


def _pass_on(inputs, training=False):
    """Stands in for the `call` of a dropout layer."""
    return inputs
