"""What is in a preset folder, and clear errors if it is broken."""

import contextlib

import keras
import keras_hub
import safetensors

from kftune.models.converters.hf_files import read_json


def hugging_face_type(folder):
    """Tells which Hugging Face model a folder holds.

    Args:
        folder: `Path`.

    Returns:
        `str`, such as `"gpt2"`, or `None` if it is a KerasHub preset.

    Raises:
        FileNotFoundError: if there is no `config.json`.
        ValueError: if `config.json` is of neither kind.
    """
    config = read_json(folder, "config.json")
    if "registered_name" in config:
        return None
    if "model_type" not in config:
        raise ValueError(
            "Expected a KerasHub preset or a Hugging Face model. Received: config.json "
            f"with neither registered_name nor model_type, but {sorted(config)}"
        )
    return config["model_type"]


def read_keras_hub_backbone(folder, *, load_weights=True, dtype=None):
    """Reads the backbone of a KerasHub preset folder, KerasHub's or kftune's.

    Args:
        folder: `Path`.
        load_weights: `bool`. False gives random weights.
        dtype: `str`, dtype policy or `None` for Keras's own, and for weights that were
            saved as integers.

    Returns:
        `keras_hub.models.Backbone`.
    """
    saved = read_json(folder, "config.json").get("config", {}).get("dtype")
    if dtype is None and isinstance(saved, dict):
        is_quantised = saved["class_name"] == "DTypePolicyMap"
        dtype = saved if is_quantised else None
    return keras_hub.models.Backbone.from_preset(
        str(folder), load_weights=load_weights, dtype=dtype
    )


@contextlib.contextmanager
def clear_errors(folder):
    """Turns whatever a reader meets in broken files into one error with the folder.

    Args:
        folder: `Path` that is being read.

    Yields:
        Nothing.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is broken or of another model.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"Expected a complete model in {folder}. Nothing was loaded. "
            f"Received: {error}"
        ) from error
    except (
        AttributeError,
        KeyError,
        OSError,
        TypeError,
        ValueError,
        safetensors.SafetensorError,
    ) as error:
        raise ValueError(
            f"Expected a model that can be read in {folder}. Nothing was loaded. "
            f"Received: {type(error).__name__}: {error}"
        ) from error


def saved_config(folder, name):
    """Reads the config of an object of kftune's own.

    Args:
        folder: `Path`.
        name: `str`, of a file in it.

    Returns:
        `dict`, or `None` if there is no such file, or an object of KerasHub's in it.

    Raises:
        ValueError: if the file is broken.
    """
    if not (folder / name).is_file():
        return None
    config = read_json(folder, name)
    return config if config["registered_name"].startswith("kftune>") else None


def registered_class(config):
    """Finds the class of an object of kftune's own.

    Args:
        config: `dict`, see `saved_config`.

    Returns:
        The class.

    Raises:
        ValueError: if kftune has no such class.
    """
    found = keras.saving.get_registered_object(config["registered_name"])
    if found is None:
        raise ValueError(
            f"Expected an object of kftune. Received: {config['registered_name']!r}"
        )
    return found
