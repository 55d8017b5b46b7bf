"""Tells which workers of a shared folder are alive."""

import contextlib
import fcntl
import os
import secrets
import socket
from pathlib import Path

from kftune.files import inside

STALE_SECONDS = 120


class WorkerHeartbeat:
    """A file that tells others in a shared folder that this worker is alive.

    A worker on the same machine is dead as soon as the lock on its file is free, which
    the kernel sees to however it ended. One on another machine is dead when its file
    was not touched for a while; both times compared are the file server's.

    Args:
        folder: `str` or `Path` of the workers' files, made when missing.
        stale_seconds: `float`, after so long without `beat` a worker on another
            machine is taken for dead. Longer than file servers cache times (a minute).

    Example:
    ```python
    with WorkerHeartbeat("runs/search/workers") as worker:
        worker.beat()
    ```
    """

    def __init__(self, folder, stale_seconds=STALE_SECONDS):
        self.name = f"{secrets.token_hex(6)}@{socket.gethostname()}"
        self.stale_seconds = stale_seconds
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = (self._folder / self.name).open("w")
        # Some network file systems have no locks. Times alone decide there.
        with contextlib.suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def beat(self):
        """Shows that this worker is alive. Call it every few seconds."""
        os.utime(self._folder / self.name)

    def is_alive(self, name):
        """Tells whether a worker is alive.

        Args:
            name: `str`, the `name` of a `WorkerHeartbeat` of the same folder.

        Returns:
            `bool`.

        Raises:
            ValueError: if the name would lead out of the folder.
        """
        path = inside(self._folder, name)
        host = name.partition("@")[2]
        try:
            if host == socket.gethostname() and _is_free(path):
                return False
            self.beat()
            mine = (self._folder / self.name).stat().st_mtime
            return mine - path.stat().st_mtime < self.stale_seconds
        except FileNotFoundError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        (self._folder / self.name).unlink(missing_ok=True)
        self._file.close()


def _is_free(path):
    """Whether nobody has a lock on a file; `False` if the file system has no locks."""
    with path.open("r+") as file:  # where NFS locks ranges, it asks for that
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True
