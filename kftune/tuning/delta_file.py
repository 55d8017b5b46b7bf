"""The file of a delta: tensors and what they belong to, under one checksum."""

import hashlib
import json

import safetensors
import safetensors.numpy

from kftune.files import write_aside

_FORMAT = "kftune.delta.1"


def write_delta(path, tensors, details):
    """Writes a safetensors file that appears whole or not at all.

    Args:
        path: `str` or `Path`.
        tensors: dict of name to NumPy array in the order of C.
        details: dict of what JSON has.
    """
    text = json.dumps(details, sort_keys=True)
    metadata = {
        "format": _FORMAT,
        "details": text,
        "sha256": _checksum(text, tensors),
    }
    with write_aside(path) as aside:
        safetensors.numpy.save_file(tensors, aside, metadata)


def read_delta(path):
    """Reads what `write_delta` wrote.

    Args:
        path: `str` or `Path`.

    Returns:
        The dict of tensors and the dict of details.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is cut off, of another kind, or not as it was written.
    """
    try:
        with safetensors.safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            names = list(file.keys())
            is_delta = metadata.get("format") == _FORMAT
            tensors = {n: file.get_tensor(n) for n in names} if is_delta else {}
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"Expected a whole safetensors file. Received: {path} ({error})."
        ) from error
    if not is_delta:
        raise ValueError(
            f"Expected a file of the format {_FORMAT!r}, as "
            f"kftune.tuning.save_delta writes it. Received: {path} of the format "
            f"{metadata.get('format')!r} with {len(names)} tensors."
        )
    text, expected = metadata.get("details", ""), metadata.get("sha256")
    found = _checksum(text, tensors)
    if found != expected:
        raise ValueError(
            f"Expected a delta with the checksum {expected}, as it was written. "
            f"Received: {path} with {found}. It was changed or damaged since."
        )
    return tensors, json.loads(text)


def _checksum(text, tensors):
    """SHA-256 of the details and of names, types, shapes and bytes of all tensors."""
    digest = hashlib.sha256(text.encode())
    for name, array in sorted(tensors.items()):
        digest.update(f"\0{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(array.data)
    return digest.hexdigest()
