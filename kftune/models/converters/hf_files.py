"""The files of a Hugging Face folder: settings and tensors, read with care."""

import contextlib
import json
import shutil
import tempfile
from pathlib import Path

import safetensors
import safetensors.numpy

from kftune.files import inside

_SAFETENSORS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_TORCH = "pytorch_model.bin"


def read_json(folder, name):
    """Reads a JSON object.

    Args:
        folder: `Path`.
        name: `str`, of a file in it.

    Returns:
        `dict`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no JSON object.
    """
    path = inside(folder, name)
    if not path.is_file():
        raise FileNotFoundError(f"Expected a file {name} in {folder}. Received: none")
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"Expected JSON in {path}. Received: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"Expected a JSON object in {path}. Received: {type(content).__name__}"
        )
    return content


def check_settings(config, accepted, folder):
    """Checks that a checkpoint's settings are those that KerasHub computes.

    Args:
        config: `dict`, its `config.json`.
        accepted: dict of setting to tuple of accepted values. A setting that the
            checkpoint does not state has its default and is accepted.
        folder: `Path`, for the message.

    Raises:
        ValueError: if settings differ; lists all of them.
    """
    wrong = [
        f"{key}={config[key]!r} (expected {' or '.join(map(repr, values))})"
        for key, values in accepted.items()
        if key in config and config[key] not in values
    ]
    if wrong:
        raise ValueError(
            f"Expected a {config.get('model_type')} as KerasHub computes it. Received "
            f"in {folder}: {', '.join(wrong)}"
        )


@contextlib.contextmanager
def safetensors_folder(folder):
    """Gives a folder with the same model whose weights are safetensors.

    A `pytorch_model.bin` is read with `torch.load(weights_only=True)`, which runs no
    code from the file, and written to a temporary folder.

    Args:
        folder: `Path` of a Hugging Face folder.

    Yields:
        `Path`: the folder itself or a temporary one.

    Raises:
        FileNotFoundError: if the folder holds no weights that can be read.
        ModuleNotFoundError: if `pytorch_model.bin` is there and PyTorch is not.
    """
    if any((folder / name).is_file() for name in (_SAFETENSORS, _INDEX)):
        yield folder
        return
    if not (folder / _TORCH).is_file():
        raise FileNotFoundError(
            f"Expected {_SAFETENSORS}, {_INDEX} or {_TORCH} in {folder}. Received: "
            f"{sorted(path.name for path in folder.iterdir())}"
        )
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary)
        for path in (*folder.glob("*.json"), *folder.glob("*.txt")):
            shutil.copy(path, copy)
        safetensors.numpy.save_file(_torch_arrays(folder), copy / _SAFETENSORS)
        yield copy


def tensor_shapes(folder):
    """Lists the tensors of a folder without reading them.

    Args:
        folder: `Path` with safetensors.

    Returns:
        Dict of name to shape, a tuple of `int`.
    """
    shapes = {}
    for path in _files(folder):
        with safetensors.safe_open(path, framework="np") as file:
            for name in file.keys():  # noqa: SIM118 (not a dict)
                shapes[name] = tuple(file.get_slice(name).get_shape())
    return shapes


def read_tensor(folder, name):
    """Reads one tensor.

    Args:
        folder: `Path` with safetensors.
        name: `str`, one of `tensor_shapes(folder)`.

    Returns:
        NumPy array.
    """
    for path in _files(folder):
        with safetensors.safe_open(path, framework="np") as file:
            if name in file.keys():  # noqa: SIM118 (not a dict)
                return file.get_tensor(name)
    raise KeyError(name)


def _files(folder):
    """The safetensors files of a folder, one or several."""
    if not (folder / _INDEX).is_file():
        return [folder / _SAFETENSORS]
    names = set(read_json(folder, _INDEX)["weight_map"].values())
    return [inside(folder, name) for name in sorted(names)]


def _torch_arrays(folder):
    """The tensors of `pytorch_model.bin` as NumPy arrays."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{folder / _TORCH} needs PyTorch to be read: pip install 'kftune[torch]', "
            f"or save the model as {_SAFETENSORS}."
        ) from error
    try:
        state = torch.load(folder / _TORCH, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds; its advice is to run code
        raise ValueError(
            f"Expected nothing but tensors in {folder / _TORCH}. Received a file that "
            f"is broken, or would run code when it is read ({type(error).__name__}). "
            f"Nothing was run. Save the model as {_SAFETENSORS}."
        ) from error
    return {
        name: (tensor.float() if tensor.is_floating_point() else tensor).numpy()
        for name, tensor in state.items()
    }
