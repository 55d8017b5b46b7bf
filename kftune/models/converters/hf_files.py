"""The files of a Hugging Face folder: settings and tensors, read with care."""

import contextlib
import json
import shutil
import tempfile
from pathlib import Path

import safetensors
import safetensors.numpy

from kftune.files import inside

WEIGHTS_FILE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_TORCH = "pytorch_model.bin"
_TORCH_INDEX = "pytorch_model.bin.index.json"


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


def read_json_if_there(folder, name):
    """Reads a JSON object that a folder may lack.

    Args:
        folder: `Path`.
        name: `str`, of a file in it.

    Returns:
        `dict`, empty if there is no such file.

    Raises:
        ValueError: if it holds no JSON object.
    """
    return read_json(folder, name) if inside(folder, name).is_file() else {}


def check_settings(config, accepted, folder):
    """Checks that a checkpoint's settings are those that are computed here.

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
            f"Expected a {config.get('model_type')} as it is computed here. Received "
            f"in {folder}: {', '.join(wrong)}"
        )


@contextlib.contextmanager
def safetensors_folder(folder):
    """Gives a folder with the same model whose weights are safetensors.

    `pytorch_model.bin`, in one file or several, is read with
    `torch.load(weights_only=True)`, which runs no code from the file, and written to a
    temporary folder.

    Args:
        folder: `Path` of a Hugging Face folder.

    Yields:
        `Path`: the folder itself or a temporary one.

    Raises:
        FileNotFoundError: if the folder holds no weights that can be read.
        ModuleNotFoundError: if `pytorch_model.bin` is there and PyTorch is not.
    """
    if any((folder / name).is_file() for name in (WEIGHTS_FILE, _INDEX)):
        yield folder
        return
    if not any((folder / name).is_file() for name in (_TORCH, _TORCH_INDEX)):
        raise FileNotFoundError(
            f"Expected {WEIGHTS_FILE}, {_INDEX}, {_TORCH} or {_TORCH_INDEX} in "
            f"{folder}. Received: {sorted(path.name for path in folder.iterdir())}"
        )
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary)
        for path in (*folder.glob("*.json"), *folder.glob("*.txt")):
            shutil.copy(path, copy)
        arrays = {}
        for path in _files(folder, _TORCH, _TORCH_INDEX):
            arrays |= _torch_arrays(path)
        safetensors.numpy.save_file(arrays, copy / WEIGHTS_FILE)
        yield copy


def tensor_shapes(folder):
    """Lists the tensors of a folder without reading them.

    Args:
        folder: `Path` with safetensors.

    Returns:
        Dict of name to shape, a tuple of `int`.
    """
    shapes = {}
    for path in _files(folder, WEIGHTS_FILE, _INDEX):
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
    for path in _files(folder, WEIGHTS_FILE, _INDEX):
        with safetensors.safe_open(path, framework="np") as file:
            if name in file.keys():  # noqa: SIM118 (not a dict)
                return file.get_tensor(name)
    raise KeyError(name)


def _files(folder, one, index):
    """The files with weights of a folder, one or several."""
    if not (folder / index).is_file():
        return [folder / one]
    names = set(read_json(folder, index)["weight_map"].values())
    return [inside(folder, name) for name in sorted(names)]


def _torch_arrays(path):
    """The tensors of a PyTorch file as NumPy arrays."""
    try:
        import torch
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path} needs PyTorch to be read: pip install 'kftune[torch]', or save "
            f"the model as {WEIGHTS_FILE}."
        ) from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds; its advice is to run code
        raise ValueError(
            f"Expected nothing but tensors in {path}. Received a file that is broken, "
            f"or would run code when it is read ({type(error).__name__}). Nothing was "
            f"run. Save the model as {WEIGHTS_FILE}."
        ) from error
    return {
        name: (tensor.float() if tensor.is_floating_point() else tensor).numpy()
        for name, tensor in state.items()
    }
