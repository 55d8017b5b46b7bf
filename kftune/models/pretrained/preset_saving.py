"""Preset folders that are written aside, so that none is ever half written."""

import os
import shutil
import tempfile
from pathlib import Path

FREEZING_FILE = "freezing.json"
_ASIDE = ".saving-"


class PresetSaving:
    """Mixin for backbones: `save_to_preset` leaves the old preset or the new one.

    Attributes:
        stale_files: tuple of `str`, patterns of files that would be loaded with a
            preset that is saved over another one.
    """

    stale_files = (
        "model.weights.*",
        "model_[0-9]*.weights.h5",
        "task.json",
        "task.weights.h5",
        FREEZING_FILE,
    )

    def save_to_preset(self, preset_dir, max_shard_size=10):
        """Saves a preset folder.

        The files are written aside and put in place one by one when all of them are
        complete; other files in the folder stay, but for those that would be loaded
        with the new ones. An optimizer is not saved.

        Args:
            preset_dir: `str` or `Path`. Made if it is missing.
            max_shard_size: `int` or `float`. Gigabytes of weights in a file at most.
        """
        target = Path(preset_dir)
        target.mkdir(parents=True, exist_ok=True)
        for left in target.glob(f"{_ASIDE}*"):
            shutil.rmtree(left)  # by a process that was killed
        with tempfile.TemporaryDirectory(dir=target, prefix=_ASIDE) as aside:
            self.write_preset(Path(aside), max_shard_size)
            written = {path.name for path in Path(aside).iterdir()}
            for path in sorted(Path(aside).rglob("*")):
                place = target / path.relative_to(aside)
                if path.is_dir():
                    place.mkdir(exist_ok=True)
                else:
                    os.replace(path, place)
        if target.name.startswith(_ASIDE):
            return  # a task saves its backbone beside its own files
        for pattern in self.stale_files:
            for path in target.glob(pattern):
                if path.name not in written:
                    path.unlink()

    def write_preset(self, folder, max_shard_size):
        """Writes all files of the preset; here, those that KerasHub writes.

        Args:
            folder: `Path` of an empty folder.
            max_shard_size: as in `save_to_preset`.
        """
        super().save_to_preset(str(folder), max_shard_size=max_shard_size)
