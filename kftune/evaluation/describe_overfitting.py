"""Whether a training overfits, in words."""

import math

_FAR = 3  # times, between the losses of training and validation


def describe_overfitting(history, tolerance=0.02):
    """Says how validation loss went on since its best epoch, and what may help.

    Args:
        history: `dict` of metric name → values by epoch, as in
            `model.fit(...).history`, with `"loss"` and `"val_loss"`.
        tolerance: `float`. A rise of validation loss by so small a share is none.

    Returns:
        `str`, a sentence or two.

    Example:
    ```python
    history = {"loss": [0.6, 0.4, 0.1], "val_loss": [0.6, 0.5, 0.6]}
    print(describe_overfitting(history))
    # Overfitting: validation loss has risen since epoch 2 (0.5 → 0.6), while training
    # loss fell (0.4 → 0.1). ...
    ```
    """
    training, validation = history.get("loss", []), history.get("val_loss", [])
    if missing := _missing(training, validation):
        return f"Overfitting cannot be told: {missing}."
    best = min(range(len(validation)), key=validation.__getitem__)
    # Of a loss that fell to the end, what the last epoch brought is looked at.
    compared = min(best, len(validation) - 2)
    since = f"since epoch {compared + 1} ({_change(validation, compared)})"
    change = abs(validation[-1] - validation[compared])
    is_flat = change <= tolerance * abs(validation[compared])
    if is_flat and 0 <= _FAR * training[-1] < validation[-1]:
        return (
            f"Overfitting begins: validation loss has hardly changed {since}, and the "
            f"training loss of {training[-1]:.3g} is far below it. More epochs only "
            "teach the training rows by heart."
        )
    if best == len(validation) - 1:
        return (
            f"No overfitting: validation loss fell to the last epoch "
            f"({_change(validation, best - 1)}). More epochs may help."
        )
    if validation[-1] <= validation[best] * (1 + tolerance):
        return f"No overfitting: validation loss has hardly changed {since}."
    if training[-1] < training[best]:
        return (
            f"Overfitting: validation loss has risen {since}, while training loss fell "
            f"({_change(training, best)}). Fewer epochs, more dropout or weight decay, "
            "more of the model frozen, or more data may help."
        )
    return (
        f"Validation loss has risen {since}, and so has training loss "
        f"({_change(training, best)}): not overfitting, but a learning rate that may "
        "be too high."
    )


def _missing(training, validation):
    if len(validation) < 2 or len(training) != len(validation):
        return (
            "expected loss and val_loss of two epochs or more. Received: "
            f"{len(training)} and {len(validation)}"
        )
    if not all(map(math.isfinite, [*training, *validation])):
        return "some losses are not finite"
    return None


def _change(values, since):
    return f"{values[since]:.3g} → {values[-1]:.3g}"
