"""Checkpoints on disk: written aside, checked by their SHA-256, the newest kept."""

import hashlib
import json
import re
import shutil
import warnings
from pathlib import Path

import numpy as np

from kftune.files import reach_disk, remove_asides, write_aside

VARIABLES, STATE, SUMS = "variables.npz", "state.json", "SHA256SUMS"
_NAME = re.compile(r"epoch-(\d+)-step-(\d+)")


class CheckpointFolder:
    """A folder of checkpoints, of which the newest that is whole counts.

    Each is a folder `epoch-000003-step-000000000`: so many whole epochs, and so many
    steps of the next one. It holds `variables.npz`, arrays by name, `state.json`, and
    `SHA256SUMS` of both, which `sha256sum -c` checks. It appears whole or not at all;
    what a disk damages later is noticed by the sums.

    Args:
        folder: str or path, made when something is written.
        keep: int, 1 or more: so many of the newest are kept. Defaults to 2.

    Example:
    ```python
    checkpoints = CheckpointFolder("runs/a/checkpoints")
    checkpoints.write((3, 0), {"kernel": np.ones(4)}, {"best": 0.25})
    path = checkpoints.newest()
    read_state(path), read_arrays(path)
    ```
    """

    def __init__(self, folder, keep=2):
        self.folder = Path(folder)
        self.keep = keep

    def write(self, position, arrays, state):
        """Writes a checkpoint, and removes those that are no longer kept.

        Args:
            position: pair of int, whole epochs and steps of the next one.
            arrays: dict of str to NumPy array.
            state: dict of JSON's types, and numbers of NumPy.

        Raises:
            OSError: if there is no space left. The checkpoints before are whole.
        """
        path = self.folder / "epoch-{:06d}-step-{:09d}".format(*position)
        with write_aside(path) as aside:
            aside.mkdir()
            # Uncompressed: weights hardly get smaller.
            np.savez(aside / VARIABLES, **arrays)
            text = json.dumps(state, indent=1, default=_plain)
            (aside / STATE).write_text(text + "\n", "utf-8")
            (aside / SUMS).write_bytes(_sums(aside))
            for file in aside.iterdir():
                reach_disk(file)
        self._drop_old()

    def newest(self):
        """Finds the newest checkpoint that is whole.

        Returns:
            `Path`, or `None` if there is no checkpoint.

        Raises:
            OSError: if there are checkpoints, but none that is whole.

        Warns:
            UserWarning: for each damaged one that is newer.
        """
        paths = self._paths()
        for path in reversed(paths):
            damage = _damage(path)
            if damage is None:
                return path
            warnings.warn(
                f"{path} is damaged: {damage}. The checkpoint before it is taken.",
                stacklevel=2,
            )
        if paths:
            raise OSError(
                f"Expected a whole checkpoint in {self.folder}. Received "
                f"{len(paths)}, all damaged: start the run anew (--overwrite)."
            )
        return None

    def drop_leftovers(self, path):
        """Removes what is newer than a checkpoint, and what a kill left behind.

        That is what was written in half, and old ones that were about to be removed.

        Args:
            path: `Path` that `newest` returned.
        """
        remove_asides(self.folder)
        for newer in self._paths():
            if newer > path:
                shutil.rmtree(newer)
        self._drop_old()

    def foreign(self):
        """Lists what lies in the folder under names that no checkpoint has.

        Returns:
            List of `str`, without hidden ones: these may be written aside.
        """
        names = sorted(p.name for p in self.folder.glob("[!.]*"))
        return [name for name in names if not _NAME.fullmatch(name)]

    def _drop_old(self):
        for old in self._paths()[: -self.keep]:
            shutil.rmtree(old)

    def _paths(self):
        """All checkpoints, the newest last."""
        return sorted(p for p in self.folder.glob("epoch-*") if _NAME.fullmatch(p.name))


def position_of(path):
    """Tells at which moment of a training a checkpoint was written.

    Args:
        path: `Path` of a checkpoint.

    Returns:
        Pair of int: whole epochs, and steps of the next one.
    """
    epochs, steps = _NAME.fullmatch(path.name).groups()
    return int(epochs), int(steps)


def read_state(path):
    """Reads what a checkpoint holds beside its arrays.

    Args:
        path: `Path` of a checkpoint.

    Returns:
        The dict that was written, with JSON's types.
    """
    return json.loads((path / STATE).read_text("utf-8"))


def read_arrays(path):
    """Opens the arrays of a checkpoint; each is read when it is asked for.

    Args:
        path: `Path` of a checkpoint.

    Returns:
        Context manager of a mapping of str to NumPy array. Those of a dtype that NumPy
        does not have come as raw bytes, of a `V` dtype.
    """
    return np.load(path / VARIABLES, allow_pickle=False)


def _damage(path):
    """What is wrong with a checkpoint, or `None`."""
    try:
        is_whole = (path / SUMS).read_bytes() == _sums(path)
    except OSError as error:
        return str(error)
    return None if is_whole else f"its files are not those that {SUMS} tells of"


def _sums(path):
    """The SHA-256 of the files of a checkpoint, as `sha256sum` writes them."""
    lines = []
    for name in (VARIABLES, STATE):
        with (path / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {name}\n")
    return "".join(lines).encode()


def _plain(value):
    """Turns a number or an array of NumPy into what JSON has."""
    return value.tolist()
