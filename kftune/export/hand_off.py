"""What the hand-offs to other runtimes share."""

import dataclasses
import importlib
from pathlib import Path

import numpy as np

TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class HandOff:
    """A folder that was written for another runtime, and how it was compared.

    Attributes:
        folder: `Path`.
        parity: `str`. What was found to be the same as with the live task.

    Example:
    ```python
    print(kftune.export.export_ctranslate2(task, "runs/ct2").parity)
    ```
    """

    folder: Path
    parity: str

    def __str__(self):
        return f"{self.folder}: {self.parity}"


def new_folder(folder):
    """Checks that nothing would be overwritten.

    Args:
        folder: `str` or `Path`.

    Returns:
        Its `Path`.

    Raises:
        FileExistsError: if it is a file, or a folder that is not empty.
    """
    folder = Path(folder)
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if folder.exists() and not is_empty:
        raise FileExistsError(f"Expected a new or an empty folder. Received: {folder}")
    return folder


def import_optional(extra, *names):
    """Imports packages that only an extra of kftune brings.

    Args:
        extra: `str`, such as `"onnx"`.
        *names: `str`, of modules.

    Returns:
        List of the modules.

    Raises:
        ModuleNotFoundError: if one is missing; tells how to install it.
    """
    try:
        return [importlib.import_module(name) for name in names]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"Expected the packages {', '.join(names)}. Received: {error}. Install "
            f"them with pip install 'kftune[{extra}]'."
        ) from error


def check_preprocessor(task, classes):
    """Checks that a task is of a kind that a runtime knows, and takes strings.

    Args:
        task: what is handed on.
        classes: tuple of the classes that it may be of.

    Raises:
        TypeError: if it is of another class.
        ValueError: if it has no preprocessor.
    """
    if not isinstance(task, classes):
        known = " or ".join(cls.__name__ for cls in classes)
        raise TypeError(f"Expected a {known}. Received: {type(task).__name__}")
    if task.preprocessor is None:
        raise ValueError(
            "Expected a task with a preprocessor, because sample texts are compared. "
            f"Received: {type(task).__name__} without one"
        )


def largest_difference(found, expected):
    """Compares numbers; those beyond 1 by their size.

    Args:
        found: float array.
        expected: float array of the same shape.

    Returns:
        `float`, the largest |found - expected| / max(1, |expected|).

    Raises:
        ValueError: if it is more than `TOLERANCE`.
    """
    found, expected = np.asarray(found, "float64"), np.asarray(expected, "float64")
    apart = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    largest = float(apart.max())
    if not largest <= TOLERANCE:
        raise ValueError(
            f"Expected the live task's numbers within {TOLERANCE}. Received: numbers "
            f"that are up to {largest:.2g} apart. Nothing was written; a task that "
            'does not compute in float32 can be loaded with dtype="float32"'
        )
    return largest
