"""Write a preset folder with its weights stored in half the space."""

import os
import tempfile
from pathlib import Path

import keras

from kftune.files import check_model_folder, write_aside
from kftune.models.merged_lora import merged_weights

_WEIGHTS = "model.weights.h5"


def save_float16_preset(task, folder, **changes):
    """Saves a language model as a preset whose weights are stored as float16.

    The folder says float32, so `from_preset` computes in float32, and so does KerasHub
    with a GPT-2; only the stored numbers are rounded, by at most 1 part in 2048 for
    weights from 6e-5 to 65504. No weight is saved as frozen.

    Args:
        task: `GPT2CausalLM` or `TransformerSeq2SeqLM` with a preprocessor.
        folder: `str` or `Path`: new, empty, or a preset, which is replaced as a whole
            when the new one is complete.
        **changes: arguments of the backbone that the preset gets in place of the
            task's, such as the `dropout` with which it is to be fine-tuned.

    Returns:
        The folder's `Path`.

    Raises:
        FileExistsError: if the folder holds something and no preset.
        ValueError: if a weight is too large for float16, or not finite. Nothing is
            written.

    Example:
    ```python
    save_float16_preset(task, "runs/de/preset", dropout=0.1)
    TransformerSeq2SeqLM.from_preset("runs/de/preset").generate(["Good morning."])
    ```
    """
    check_model_folder(folder)
    saved = _copy(task.backbone, dtype="float32", **changes)
    half = _copy(task.backbone, dtype="float16", **changes)
    _check_finite(half)
    config = {**task.get_config(), "backbone": saved, "preprocessor": task.preprocessor}
    config.pop("freezing", None)
    with write_aside(folder) as aside:
        type(task).from_config(config).save_to_preset(aside)
        with tempfile.TemporaryDirectory(dir=aside) as other:
            half.save_to_preset(other)
            os.replace(Path(other, _WEIGHTS), aside / _WEIGHTS)
    return Path(folder)


def _copy(backbone, **changes):
    """A backbone with the same weights, and with changes in its config."""
    copy = type(backbone).from_config({**backbone.get_config(), **changes})
    copy.set_weights(merged_weights(backbone))
    return copy


def _check_finite(half):
    bad = [
        weight.path
        for weight in half.weights
        if not bool(keras.ops.all(keras.ops.isfinite(weight)))
    ]
    if bad:
        raise ValueError(
            "Weights must be finite and at most 65504 to be stored as float16. "
            f"Received others in: {', '.join(bad)}"
        )
