"""Hands language models on to transformers, and shows that it computes the same."""

import importlib.util

import keras
import numpy as np

from kftune.export.hand_off import (
    TOLERANCE,
    HandOff,
    check_preprocessor,
    largest_difference,
    new_folder,
)
from kftune.export.sample_answers import SAMPLES
from kftune.files import write_aside
from kftune.models import GPT2CausalLM, TransformerSeq2SeqLM, save_to_hugging_face

_NEEDED = ("transformers", "torch")
_INPUTS = {
    "decoder_padding_mask": "decoder_attention_mask",
    "decoder_token_ids": "decoder_input_ids",
    "encoder_padding_mask": "attention_mask",
    "encoder_token_ids": "input_ids",
    "padding_mask": "attention_mask",
    "token_ids": "input_ids",
}


def export_hugging_face(task, folder):
    """Writes a folder for transformers, and compares the logits of sample texts.

    `kftune.models.save_to_hugging_face` writes it. Where transformers and PyTorch are
    installed, the folder appears only if the logits there are those of the task.

    Args:
        task: `GPT2CausalLM`, or `TransformerSeq2SeqLM` that `save_to_hugging_face`
            takes, with a preprocessor.
        folder: `str` or `Path`, new or empty.

    Returns:
        `HandOff`.

    Raises:
        FileExistsError: if something is in the folder.
        TypeError: if it is a task of another kind.
        ValueError: if transformers has no such model, or computes other logits.
            Nothing is written.

    Example:
    ```python
    task = kftune.models.load_task("gpt2_tiny_en")
    kftune.export.export_hugging_face(task, "runs/gpt2_hf")
    transformers.AutoModelForCausalLM.from_pretrained("runs/gpt2_hf")
    ```
    """
    folder = new_folder(folder)
    check_preprocessor(task, (GPT2CausalLM, TransformerSeq2SeqLM))
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    with write_aside(folder) as aside:
        save_to_hugging_face(task, aside)
        if missing:
            return HandOff(folder, f"not compared, without {' and '.join(missing)}")
        return HandOff(folder, _compare(task, aside))


def _compare(task, folder):
    is_causal = isinstance(task, GPT2CausalLM)
    texts = (list(SAMPLES),) if is_causal else (list(SAMPLES), list(SAMPLES))
    inputs, _, mask = task.preprocessor(*texts)
    inputs, mask = _without_padding(inputs, mask)
    ours = keras.ops.convert_to_numpy(task(inputs, training=False))
    theirs = _their_logits(folder, inputs, is_causal)
    is_real = np.asarray(mask, bool)
    largest = largest_difference(theirs[is_real], ours[is_real])
    return (
        f"logits of {is_real.sum()} tokens by transformers within {TOLERANCE} "
        f"(largest difference {largest:.1g})"
    )


def _without_padding(inputs, mask):
    """Cuts columns of padding alone: their logits would take gigabytes, for nothing."""
    inputs = {name: np.asarray(rows) for name, rows in inputs.items()}
    end = "padding_mask"
    kept = {
        name.removesuffix(end): rows.astype(bool).any(axis=0)
        for name, rows in inputs.items()
        if name.endswith(end)
    }
    cut = {
        name: rows[:, kept[name.removesuffix(end).removesuffix("token_ids")]]
        for name, rows in inputs.items()
    }
    return cut, np.asarray(mask)[:, kept.get("decoder_", kept.get(""))]


def _their_logits(folder, inputs, is_causal):
    import torch
    import transformers

    kind = "AutoModelForCausalLM" if is_causal else "AutoModelForSeq2SeqLM"
    model = getattr(transformers, kind).from_pretrained(folder).eval()
    tensors = {
        _INPUTS[name]: torch.tensor(np.asarray(rows)).long()
        for name, rows in inputs.items()
    }
    with torch.no_grad():
        return model(**tensors).logits.numpy()
