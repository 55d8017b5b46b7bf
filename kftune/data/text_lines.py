"""Numbered lines of text files, compressed or not, decoded without guessing."""

import bz2
import codecs
import contextlib
import gzip
import lzma
import re
import zlib
from io import TextIOWrapper

OPENERS = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
_DAMAGED = (EOFError, OSError, lzma.LZMAError, zlib.error)
_UNDECODED = re.compile("[\udc80-\udcff]")


def format_of(path):
    """The suffix that names a file's format.

    Args:
        path: `Path`.

    Returns:
        `str` in lower case, with that of the compression taken off: `".csv"`.
    """
    if path.suffix.lower() in OPENERS:
        path = path.with_suffix("")
    return path.suffix.lower()


def open_binary(path):
    """Opens a file for reading bytes and unpacks it if its suffix says so.

    Args:
        path: `Path`. `.gz`, `.xz` and `.bz2` are unpacked on the fly.

    Returns:
        A binary file object, to be used in a `with` statement.
    """
    return OPENERS.get(path.suffix.lower(), open)(path, "rb")


@contextlib.contextmanager
def telling_damage(what):
    """Names the file if unpacking it fails; a file that is missing is no damaged one.

    Args:
        what: function without arguments that gives a `str`, how the message begins.

    Raises:
        ValueError: if the compressed file is damaged.
    """
    try:
        yield
    except _DAMAGED as error:
        # The system numbers its errors and says what is wrong; unpacking does neither.
        if getattr(error, "errno", None) is not None:
            raise
        raise ValueError(f"{what()}. Received: {error}") from error


def numbered_lines(path, encoding="utf-8", newline="\n"):
    r"""Yields the lines of a text file with their numbers.

    Args:
        path: `Path`. Unpacked if it ends with `.gz`, `.xz` or `.bz2`.
        encoding: `str`. A byte order mark is dropped from UTF-8.
        newline: `str`. `"\n"`: a line ends at `\n` only, a carriage return before it
            is part of the line end. `""`: as `open` has it, and line ends are kept as
            they are (what `csv.reader` wants).

    Yields:
        Pairs of `int` (from 1) and `str`, without the line end if `newline` is `"\n"`.

    Raises:
        ValueError: naming file and line, if bytes do not decode or the compressed
            file is damaged; if there is no such encoding.
        OSError: if the file is missing or cannot be read.
    """
    codec = _codec(encoding)
    number = 0
    try:
        with (
            telling_damage(lambda: f"{path} is damaged after line {number}"),
            open_binary(path) as binary,
            TextIOWrapper(binary, codec, "surrogateescape", newline) as file,
        ):
            for number, line in enumerate(file, start=1):
                _check_decoded(line, path, number, encoding)
                if newline:
                    line = line.removesuffix("\n").removesuffix("\r")  # noqa: PLW2901
                yield number, line
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}, after line {number}: expected {encoding} text. Received: {error}"
        ) from None


def _codec(encoding):
    """What decodes, whatever an encoding is called; UTF-8 without byte order mark."""
    try:
        "".encode(encoding)  # some of Python's codecs are not of text
    except LookupError as error:
        raise ValueError(
            "Expected an encoding that Python knows, such as 'utf-8' or 'cp1252'. "
            f"Received: {error}"
        ) from None
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def _check_decoded(line, path, number, encoding):
    """Bytes that were no text stand in the line as lone surrogates."""
    undecoded = _UNDECODED.search(line)
    if undecoded:
        raise ValueError(
            f"{path}, line {number}: expected {encoding} text. Received: byte "
            f"0x{ord(undecoded[0]) - 0xDC00:02x} after "
            f"{line[max(0, undecoded.start() - 20) : undecoded.start()]!r}. Give the "
            "file's encoding, perhaps encoding='cp1252', or mend the file."
        )
