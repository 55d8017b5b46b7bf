"""Reads tasks that kftune saved out of preset folders."""

import keras

from kftune.models.converters.from_keras_hub import our_backbone
from kftune.models.pretrained.preset_files import (
    clear_errors,
    registered_class,
    saved_config,
)


def saved_task_class(folder):
    """Tells of which class the task is that kftune saved in a folder.

    Args:
        folder: `Path`.

    Returns:
        The class, or `None` if there is no task, or one of KerasHub's.

    Raises:
        ValueError: if `task.json` is broken, or of a class that kftune does not have.
    """
    with clear_errors(folder):
        saved = saved_config(folder, "task.json")
        return None if saved is None else registered_class(saved)


def read_task(folder, *, load_weights=True, dtype=None):
    """Reads a task that kftune saved; its backbone becomes kftune's own.

    Args:
        folder: `Path` of a preset folder, see `saved_task_class`.
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
        config = saved["config"]
        if dtype is not None:
            config["backbone"]["config"]["dtype"] = dtype
        backbone = keras.saving.deserialize_keras_object(config["backbone"])
        if load_weights:
            one = folder / "model.weights.h5"
            several = folder / "model.weights.json"
            backbone.load_weights(str(one if one.exists() else several))
        config["backbone"] = our_backbone(backbone)
        task = registered_class(saved).from_config(config)
        if task.preprocessor is not None:
            task.preprocessor.load_preset_assets(str(folder))
        if load_weights and task.has_task_weights():
            task.load_task_weights(str(folder / "task.weights.h5"))
        return task
