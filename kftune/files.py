"""Files that are whole or absent, and the folder in which downloads are kept."""

import contextlib
import errno
import os
import re
import secrets
import shutil
from pathlib import Path, PurePosixPath, PureWindowsPath

# No space left, a quota, and a limit of the size of a file.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_ASIDE = re.compile(r"\.[0-9a-f]{12}-.+")


@contextlib.contextmanager
def write_aside(path):
    """Gives a temporary sibling of `path` that takes its place on success.

    Whoever reads `path` sees the old content or the whole new one, never half of it.
    The sibling keeps the file's suffix, because writers choose a format by it. A
    folder that is replaced is missing for the moment between two renames.

    Args:
        path: `str` or `Path`. The file or folder to write, or a link to it, which
            stays. Its parent folders are made if they are missing.

    Yields:
        `Path` that does not exist yet: write a file there, or make a folder.

    Raises:
        FileNotFoundError: if the block ended without writing anything.
        OSError: if there is no space left, whatever the writer raised then; says that
            `path` is as it was.

    Example:
    ```python
    with write_aside("runs/results.json") as aside:
        aside.write_text("{}")
    ```
    """
    path = Path(path)
    if path.is_symlink():  # what it leads to is replaced, and not the link
        path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = _sibling(path)
    try:
        yield aside
        if not aside.exists():
            raise FileNotFoundError(
                f"Expected {path.name} to be written to the path given by "
                f"write_aside. Received nothing at {aside}."
            )
        _replace(aside, path)
    except (OSError, RuntimeError) as error:
        if number := _full_disk(error):
            raise OSError(
                number,
                f"Expected space to write {path}. Received: {os.strerror(number)}. "
                "What stood there before is as it was: make room and start again",
            ) from error
        raise
    finally:
        _remove(aside)


def remove_asides(folder):
    """Removes what a killed process was writing aside in a folder.

    Args:
        folder: `str` or `Path` in which nobody is writing; may be missing.
    """
    for path in Path(folder).glob(".*"):
        if _ASIDE.fullmatch(path.name):
            _remove(path)


def remove_at_once(path):
    """Removes a file or folder under its name in one step, then what was in it.

    Args:
        path: `str` or `Path`, may be missing. What a kill leaves, `remove_asides`
            takes away.
    """
    path = Path(path)
    if path.exists():
        aside = _sibling(path)
        os.replace(path, aside)
        _remove(aside)


def check_model_folder(folder):
    """Checks that a folder may be replaced by one with a model.

    Args:
        folder: `str` or `Path`.

    Raises:
        FileExistsError: if it is a file, or holds something and no `config.json`.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"Expected a folder. Received the file {folder}")
    names = sorted(path.name for path in folder.glob("*"))
    if names and "config.json" not in names:
        raise FileExistsError(
            f"Expected a new folder, or one with a model to replace. Received {folder} "
            f"with {', '.join(names[:5])} and no config.json"
        )


def reach_disk(path):
    """Waits until a file would survive a power cut, too.

    Args:
        path: `Path` of a file.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())


def inside(folder, name):
    """Joins a relative name to a folder and refuses names that would leave it.

    Args:
        folder: `str` or `Path`.
        name: `str`. Relative, `/` between its parts.

    Returns:
        `Path` of `name` under `folder`.

    Raises:
        ValueError: if `name` is empty, absolute, or holds `..`, a backslash, a drive
            or a NUL character.
    """
    posix = PurePosixPath(name)
    leaves = posix.is_absolute() or ".." in posix.parts or not posix.parts
    if leaves or "\\" in name or "\0" in name or PureWindowsPath(name).drive:
        raise ValueError(
            f"Expected a relative name that stays inside {folder}. Received: {name!r}"
        )
    return Path(folder, *posix.parts)


def can_be_folder(path):
    """Tells whether a path is a folder, or one can be made there.

    Args:
        path: `Path`.

    Returns:
        `bool`. False: a file stands there, or where a folder above it should be.
    """
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    return there.is_dir()


def keras_cache(*parts):
    """Path under the Keras home in which kftune keeps what it downloaded or compiled.

    The Keras home is the environment variable `KERAS_HOME`, else `~/.keras`, as Keras
    itself has it. Keras is not imported and nothing is created.

    Args:
        *parts: `str`. Names below `<Keras home>/kftune`.

    Returns:
        `Path`.

    Raises:
        ValueError: if a part would lead out of the folder.
    """
    home = os.environ.get("KERAS_HOME")
    if home is None:
        user = Path.home()
        home = (user if os.access(user, os.W_OK) else Path("/tmp")) / ".keras"
    folder = Path(home).expanduser() / "kftune"
    for part in parts:
        folder = inside(folder, part)
    return folder


def _sibling(path):
    """A name beside `path` that nobody else uses, with the same suffix."""
    return path.with_name(f".{secrets.token_hex(6)}-{path.name}")


def _replace(aside, path):
    """Renames `aside` over `path`; an old folder steps aside first."""
    if not (aside.is_dir() and path.is_dir()):
        os.replace(aside, path)
        return
    old = _sibling(path)
    os.replace(path, old)
    try:
        os.replace(aside, path)
    except BaseException:
        os.replace(old, path)
        raise
    _remove(old)


def _full_disk(error):
    """The number of an error that means a full disk; HDF5 tells it in its message."""
    told = re.search(r"errno = (\d+)", str(error))
    number = int(told[1]) if told else getattr(error, "errno", None)
    return number if number in _FULL else None


def _remove(path):
    """Removes a file or folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
