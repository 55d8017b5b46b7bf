"""Keeps two processes from training in one folder."""

import fcntl
import os
from pathlib import Path

_held = {}  # descriptors of the locked folders, by path


def lock_run(folder):
    """Locks the folder of a run for this process; it may lock it again.

    The kernel frees the lock however the process ends. Network file systems without
    locks have none.

    Args:
        folder: str or path of a folder.

    Returns:
        bool, `True` if this process had locked it before.

    Raises:
        BlockingIOError: if another process has locked it.
    """
    path = Path(folder).resolve()
    if path in _held and path.exists():
        return True
    unlock_run(path)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise BlockingIOError(
            f"Expected a folder that no other process trains in. Received: {folder}. "
            "Wait for it, end it, or choose another folder."
        ) from error
    except OSError:  # no locks here
        os.close(descriptor)
        return False
    _held[path] = descriptor
    return False


def unlock_run(folder):
    """Frees the folder of a run, if this process has locked it.

    Args:
        folder: str or path.
    """
    descriptor = _held.pop(Path(folder).resolve(), None)
    if descriptor is not None:
        os.close(descriptor)
