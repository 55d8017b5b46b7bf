"""What is said of a training whose loss or weights are no numbers any more."""

import keras
import numpy as np

from kftune.error_text import first_few
from kftune.tuning.optimizer_state import optimizer_parts

_ADVICE = (
    "Try a lower learning rate, more warm-up, clipping (clipnorm=1.0 of the "
    "optimizer), float32 in place of float16"
)


def divergence_error(model, what, rows=""):
    """Makes the error that ends a training which diverges.

    Args:
        model: `keras.Model` in training.
        what: str, what happened.
        rows: str, rows of the data that may be the cause.

    Returns:
        `FloatingPointError` with step, learning rate and what to try.
    """
    step = int(keras.ops.convert_to_numpy(model.optimizer.iterations))
    return FloatingPointError(
        f"{what} The optimizer has made {step} steps; learning rate: "
        f"{_rates(model.optimizer)}. {rows}{_ADVICE}"
        f"{', or look at the rows named here' if rows else ''}."
    )


def check_weights(model, kept):
    """Refuses weights that are not finite.

    Args:
        model: built `keras.Model`.
        kept: str or path of what is kept of the weights before.

    Raises:
        FloatingPointError: if a trainable weight is not finite; names them.
    """
    wrong = [
        weight.path
        for weight in model.trainable_weights
        if not np.all(keras.ops.convert_to_numpy(keras.ops.isfinite(weight)))
    ]
    if wrong:
        raise divergence_error(
            model,
            f"Expected finite weights. Received NaN or infinity in {first_few(wrong)}. "
            f"They were not written; what {kept} holds is as it was.",
        )


def _rates(optimizer):
    """Learning rates of an optimizer and all that it wraps, each once."""
    rates = [
        getattr(part, "learning_rate", None) for part in optimizer_parts(optimizer)
    ]
    found = {float(keras.ops.convert_to_numpy(r)) for r in rates if r is not None}
    return ", ".join(f"{rate:.3g}" for rate in sorted(found))
