"""Lines of files or of the standard input, read whatever their bytes are."""

import codecs
import sys
from pathlib import Path

from kftune.data.text_lines import open_binary, telling_damage


def check_files(paths):
    """Checks that files can be read, before long work begins.

    Args:
        paths: list of `str`.

    Raises:
        FileNotFoundError: if a file is missing; names all that are.
        IsADirectoryError: if a file is a folder.
    """
    if missing := [path for path in paths if not Path(path).exists()]:
        raise FileNotFoundError(f"Expected files to read. Missing: {missing}")
    if folders := [path for path in paths if Path(path).is_dir()]:
        raise IsADirectoryError(f"Expected files to read. Received: folders {folders}")


class InputLines:
    r"""Yields lines of text; bytes that are no UTF-8 become U+FFFD and are counted.

    A line ends at `\n` alone, with a `\r` before it or not; other line separators of
    Unicode belong to the text. A byte order mark at the beginning of a file is dropped.

    Args:
        paths: list of `str`, read one after the other; `.gz`, `.xz` and `.bz2` are
            unpacked. None: the standard input, and so is `-`.

    Attributes:
        undecoded: list of `int`, the numbers from 1 of lines with such bytes.

    Raises:
        FileNotFoundError: if a file is missing; names all that are.
        IsADirectoryError: if a file is a folder.
        ValueError: on the way, if a compressed file is damaged.

    Example:
    ```python
    lines = InputLines(["a.txt"])
    texts, wrong = list(lines), lines.undecoded
    ```
    """

    def __init__(self, paths):
        self.paths = list(paths) or ["-"]
        self.undecoded = []
        self._begun = []  # (lines before it, path) of each file
        check_files([path for path in self.paths if path != "-"])

    def __iter__(self):
        number = 0
        self._begun = []
        for path in self.paths:
            self._begun.append((number, path))
            for place, raw in enumerate(self._raw_lines(path)):
                number += 1
                if not place:
                    raw = raw.removeprefix(codecs.BOM_UTF8)  # noqa: PLW2901
                yield self._decoded(raw, number)

    def place(self, number):
        """Names a line that was read.

        Args:
            number: `int` from 1, over all files.

        Returns:
            `str`, with the file and the line in it if there are several files.
        """
        if len(self.paths) == 1:
            return f"line {number}"
        before, path = [begun for begun in self._begun if begun[0] < number][-1]
        return f"line {number - before} of {path}"

    def _raw_lines(self, path):
        if path == "-":
            yield from sys.stdin.buffer
            return
        with (
            telling_damage(lambda: f"{path} is damaged"),
            open_binary(Path(path)) as file,
        ):
            yield from file

    def _decoded(self, raw, number):
        raw = raw.removesuffix(b"\n").removesuffix(b"\r")
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            self.undecoded.append(number)
            return raw.decode("utf-8", "replace")
