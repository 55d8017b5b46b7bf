"""Write a GPT-2 preset folder with its weights stored in half the space."""

from pathlib import Path

import keras
import keras_hub

from kftune.files import write_aside
from kftune.models.gpt2.gpt2_backbone import GPT2Backbone


def save_float16_preset(backbone, tokenizer, folder, dropout=0.1):
    """Save a GPT-2 as a KerasHub preset whose weights are stored as float16.

    The folder says float32, so `keras_hub.models.CausalLM.from_preset(folder)`
    computes in float32; only the stored numbers are rounded, by at most 1 part
    in 2048 for weights from 6e-5 to 65504.

    Args:
        backbone: `GPT2Backbone`, kftune's or KerasHub's.
        tokenizer: `keras_hub.tokenizers.GPT2Tokenizer`.
        folder: str or path, replaced as a whole when it is complete.
        dropout: float, 0 to 1, the rate with which the preset is fine-tuned.

    Returns:
        The folder's `pathlib.Path`.

    Raises:
        ValueError: If a weight is too large for float16, or not finite. Nothing
            is written.
    """
    if isinstance(backbone, GPT2Backbone):
        backbone = backbone.to_keras_hub()
    half = _copy(backbone, dtype="float16")
    _check_finite(backbone, half)
    preprocessor = keras_hub.models.GPT2CausalLMPreprocessor(
        tokenizer, sequence_length=backbone.max_sequence_length
    )
    task = keras_hub.models.GPT2CausalLM(_copy(backbone, dropout=dropout), preprocessor)
    with write_aside(Path(folder)) as aside:
        aside.mkdir(parents=True, exist_ok=True)
        task.save_to_preset(str(aside))
        half.save_weights(aside / "model.weights.h5", overwrite=True)
    return Path(folder)


def _copy(backbone, **changes):
    """A backbone with the same weights, and with changes in its config."""
    copy = type(backbone).from_config({**backbone.get_config(), **changes})
    copy.set_weights(backbone.get_weights())
    return copy


def _check_finite(backbone, half):
    bad = [
        weight.path
        for weight, copy in zip(backbone.weights, half.weights, strict=True)
        if not bool(keras.ops.all(keras.ops.isfinite(copy)))
    ]
    if bad:
        raise ValueError(
            "Weights must be finite and at most 65504 to be stored as float16. "
            f"Received others in: {', '.join(bad)}"
        )
