"""Reads backbones, preprocessors and saved tasks out of preset folders."""

import keras
import keras_hub

from kftune.models.converters.hf_bert import read_bert_backbone
from kftune.models.converters.hf_gpt2 import read_gpt2_backbone
from kftune.models.preset_catalog import locate
from kftune.models.preset_files import clear_errors, hugging_face_type, saved_config
from kftune.models.text_classifier_preprocessor import TextClassifierPreprocessor

_BACKBONES = {"bert": read_bert_backbone, "gpt2": read_gpt2_backbone}


def load_backbone(preset, *, load_weights=True, dtype=None, offline=False):
    """Loads the backbone of a preset.

    Args:
        preset: `str` or `Path`, see `locate`.
        load_weights: `bool`. False gives random weights.
        dtype: `str`, dtype policy or `None` for Keras's own.
        offline: `bool`. True: what is on this machine or an error, no network.

    Returns:
        `keras_hub.models.Backbone`.

    Raises:
        FileNotFoundError: if a file is missing, or if `offline` and the preset is not
            on this machine.
        ConnectionError: if the preset could not be fetched.
        ValueError: if there is no such preset or its files are broken, or of a model
            that cannot be read.

    Example:
    ```python
    backbone = kftune.models.load_backbone("minilm_l6")
    ```
    """
    folder = locate(preset, offline=offline)
    with clear_errors(folder):
        model_type = hugging_face_type(folder)
        if model_type in _BACKBONES:
            read = _BACKBONES[model_type]
            return read(folder, load_weights=load_weights, dtype=dtype)
        return keras_hub.models.Backbone.from_preset(
            str(folder), load_weights=load_weights, dtype=dtype
        )


def load_preprocessor(preset, *, sequence_length=None, offline=False):
    """Loads the tokenizer of a preset in a preprocessor for classifiers.

    The same as `TextClassifierPreprocessor.from_preset`, beside `load_backbone`.

    Args:
        preset: `str` or `Path`, see `locate`.
        sequence_length: `int` or `None`. Length of the packed rows in tokens. `None`
            keeps what was saved, or leaves it to the task.
        offline: `bool`. True: what is on this machine or an error, no network.

    Returns:
        `TextClassifierPreprocessor`.

    Raises:
        FileNotFoundError: as in `load_backbone`.
        ConnectionError: as in `load_backbone`.
        ValueError: as in `load_backbone`.

    Example:
    ```python
    rows = kftune.models.load_preprocessor("minilm_l6", sequence_length=256)
    rows.tokenize_rows(["A good film."])
    ```
    """
    return TextClassifierPreprocessor.from_preset(
        preset, sequence_length=sequence_length, offline=offline
    )


def is_saved_task(folder):
    """Tells whether kftune saved a task with its head in a folder.

    Args:
        folder: `Path`.

    Returns:
        `bool`.

    Raises:
        ValueError: if `task.json` is broken.
    """
    with clear_errors(folder):
        return saved_config(folder, "task.json") is not None


def read_task(folder, *, load_weights=True, dtype=None):
    """Reads a task that kftune saved with its head.

    Args:
        folder: `Path` of a preset folder, see `is_saved_task`.
        load_weights: `bool`. False gives random weights.
        dtype: `str`, dtype policy or `None` for the one that was saved, of the
            backbone.

    Returns:
        The task, compiled with its default loss.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is broken.
    """
    with clear_errors(folder):
        saved = saved_config(folder, "task.json")
        if dtype is not None:
            saved["config"]["backbone"]["config"]["dtype"] = dtype
        task = keras.saving.deserialize_keras_object(saved)
        if task.preprocessor is not None:
            task.preprocessor.load_preset_assets(str(folder))
        if load_weights:
            task.load_task_weights(str(folder / "task.weights.h5"))
            one = folder / "model.weights.h5"
            several = folder / "model.weights.json"
            task.backbone.load_weights(str(one if one.exists() else several))
        return task
