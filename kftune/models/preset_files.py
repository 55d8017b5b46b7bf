"""What the files of a preset folder say, and clear errors where they are broken."""

import contextlib

import keras_hub
import safetensors

from kftune.models.converters.hf_bert import read_bert_tokenizer
from kftune.models.converters.hf_files import read_json
from kftune.models.converters.hf_gpt2 import read_gpt2_tokenizer

_TOKENIZERS = {"bert": read_bert_tokenizer, "gpt2": read_gpt2_tokenizer}


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


def saved_config(folder, name):
    """Reads a config that kftune saved.

    Args:
        folder: `Path`.
        name: `str`. The file, `"task.json"` or `"preprocessor.json"`.

    Returns:
        `dict`, or `None` if the file is missing or not of kftune.
    """
    if not (folder / name).is_file():
        return None
    config = read_json(folder, name)
    return config if config["registered_name"].startswith("kftune>") else None


def read_tokenizer(folder):
    """Reads the tokenizer of a KerasHub or Hugging Face folder.

    Args:
        folder: `Path`.

    Returns:
        `keras_hub.tokenizers.Tokenizer` with its vocabulary.
    """
    read = _TOKENIZERS.get(hugging_face_type(folder))
    return read(folder) if read else keras_hub.models.Tokenizer.from_preset(str(folder))


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
