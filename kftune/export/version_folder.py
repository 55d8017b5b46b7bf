"""Versions of a served model: whole or absent, and never overwritten."""

import contextlib
import fcntl
import os
import re
import secrets
import shutil
from pathlib import Path

from kftune.files import can_be_folder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HIDDEN = re.compile(r"\.writing-[0-9a-f]{12}")


def write_version(folder, write, version=None):
    """Lets a function write a folder, and makes it a version when all is written.

    A server watches for folders with integer names, and loads what it sees: so the
    folder has a hidden name until it is renamed. What a killed process left under such
    a name is removed first; a lock tells it from what others write at the same time.

    Args:
        folder: `str` or `Path`, base path of the model. It is made if it is missing.
        write: function of a `Path`, an empty folder.
        version: `int`, 1 or more, or `None` for the next one after those that are
            there, also after those that others write at the same time.

    Returns:
        `Path` of the version's folder.

    Raises:
        FileExistsError: if the version is there.
        NotADirectoryError: if a file stands where a folder should be.
        ValueError: if the folder's name cannot be that of a model, or the version is no
            positive `int`.

    Example:
    ```python
    write_version("serving/reviews", lambda folder: (folder / "notes.txt").touch())
    # serving/reviews/1
    ```
    """
    folder = Path(folder)
    check_version(folder, version)
    folder.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder)
    with _hidden_folder(folder) as hidden:
        write(hidden)
        return _rename(hidden, folder, version)


def check_version(folder, version):
    """Checks where a model is to be written.

    Args:
        folder: `Path`, base path of the model.
        version: `int` or `None`.

    Raises:
        FileExistsError: if the version is there.
        NotADirectoryError: if a file stands where a folder should be.
        ValueError: if the folder's name cannot be that of a model, or the version is no
            positive `int`.
    """
    if not can_be_folder(folder):
        raise NotADirectoryError(
            "Expected a folder, or where one can be made. "
            f"Received: {folder}, where a file is"
        )
    if not _NAME.fullmatch(folder.name):
        raise ValueError(
            "Expected a folder whose name can be that of a model: letters, digits, "
            f"'_', '.' and '-'. Received: {folder.name!r}"
        )
    if version is None:
        return
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ValueError(f"Expected a version of 1 or more. Received: {version!r}")
    if (folder / str(version)).exists():
        raise FileExistsError(
            f"Expected a version that is not there. Received: {version}, which is in "
            f"{folder}. Pass version=None for the next one."
        )


def versions(folder):
    """Lists the versions of a model.

    Args:
        folder: `str` or `Path`, base path of the model.

    Returns:
        Sorted list of `int`; of what is named as a version, files too.
    """
    folder = Path(folder)
    names = os.listdir(folder) if folder.is_dir() else []
    return sorted(int(name) for name in names if re.fullmatch("[1-9][0-9]*", name))


@contextlib.contextmanager
def _hidden_folder(folder):
    """A new folder, locked until the block or the process ends, however it ends."""
    hidden = folder / f".writing-{secrets.token_hex(6)}"
    while not hidden.exists():  # who removes abandoned ones may be faster than the lock
        hidden.mkdir()
        lock = _locked(hidden, fcntl.LOCK_EX)
    try:
        yield hidden
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _remove_abandoned(folder):
    """Removes the hidden folders of processes that were killed."""
    for path in folder.iterdir():
        if not _HIDDEN.fullmatch(path.name):
            continue
        lock = _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if lock is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def _locked(path, how):
    """A descriptor of a folder that is locked; `None` if it cannot be."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, how)
    except OSError:  # somebody else's, or a file system without locks
        os.close(descriptor)
        return None
    return descriptor


def _rename(hidden, folder, version):
    """Renames to the version, or to the first that nobody else has taken."""
    while True:
        path = folder / str(version or max(versions(folder), default=0) + 1)
        # An empty folder would be replaced without a word.
        if not path.exists():
            try:
                os.rename(hidden, path)
                return path
            except OSError:
                if not path.exists():  # nobody else took it: the disk or its rights
                    raise
        check_version(folder, version)
