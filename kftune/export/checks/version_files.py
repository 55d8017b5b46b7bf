"""What lies in the folder of a version, read as the checks need it."""

import json
import re
from pathlib import Path

from kftune.error_text import first_few, shortened


def find_version(folder):
    """Finds the version that is meant: the folder itself, or the newest one in it.

    Args:
        folder: `str` or `Path`. A model's base path, or the folder of a version.

    Returns:
        `Path` of a folder that holds `saved_model.pb`.

    Raises:
        FileNotFoundError: if there is no such folder, or no SavedModel in it.
        ValueError: if the versions in it are not named by positive integers.
    """
    folder = Path(folder)
    if not folder.is_dir():
        there = "a file" if folder.exists() else "nothing"
        raise FileNotFoundError(f"Expected a folder. Received: {there} at {folder}")
    if (folder / "saved_model.pb").is_file():
        return folder
    names = sorted(path.parent.name for path in folder.glob("[!.]*/saved_model.pb"))
    versions = [name for name in names if is_version(name)]
    if versions:
        return folder / max(versions, key=int)
    if names:
        raise ValueError(
            f"Expected a version folder such as {folder / '1'}; the server reads only "
            "names that are positive integers. "
            f"Received: {first_few(names)}. Rename it."
        )
    raise FileNotFoundError(
        f"Expected a SavedModel in {folder}, or versions such as {folder / '1'}. "
        "Received: no saved_model.pb"
    )


def is_version(name):
    """Tells whether a folder's name is a positive integer without leading zeros."""
    return re.fullmatch("[1-9][0-9]*", name) is not None


def read_meta_graph(version):
    """Reads the graph that servers load out of `saved_model.pb`.

    Args:
        version: `Path`, the folder of the version.

    Returns:
        `MetaGraphDef`.

    Raises:
        ValueError: if the file is broken, or holds no graph with the tag `serve`.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel()
    try:
        saved.ParseFromString((version / "saved_model.pb").read_bytes())
    except DecodeError as error:
        raise ValueError(
            f"Expected a SavedModel in {version / 'saved_model.pb'}. Received: a file "
            "that is none. Export again."
        ) from error
    tags = [sorted(graph.meta_info_def.tags) for graph in saved.meta_graphs]
    if ["serve"] not in tags:
        raise ValueError(f"Expected a graph with the tag serve. Received: {tags}")
    return saved.meta_graphs[tags.index(["serve"])]


def read_expected(version):
    """Reads the answers that the live task gave when it was exported.

    Args:
        version: `Path`, the folder of the version.

    Returns:
        `dict` with `cases`, a list of `dict` of `signature`, `inputs` and `outputs`;
        `None` if there is no such file.

    Raises:
        ValueError: if the file is broken.
    """
    path = version / "assets.extra" / "expected.json"
    if not path.is_file():
        return None
    try:
        expected = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"Expected JSON in {path}. Received: {error}") from error
    if not isinstance(expected, dict) or not _are_cases(expected.get("cases")):
        raise ValueError(
            f"Expected in {path} a list of cases with signature, inputs and outputs. "
            f"Received: {shortened(expected)}"
        )
    return expected


def known_cases(version):
    """The cases of `expected.json`, a list that may be empty."""
    return (read_expected(version) or {"cases": []})["cases"]


def is_for_xla(version):
    """Tells whether a version was exported for a server that compiles with XLA."""
    return bool((read_expected(version) or {}).get("xla"))


def open_session(version):
    """Makes the `ServerSession` of a version, with XLA only if it was exported for it.

    Args:
        version: `Path`, the folder of the version.

    Returns:
        `kftune.export.server_session.ServerSession`.
    """
    from kftune.export.server_session import ServerSession

    return ServerSession(version, xla=is_for_xla(version))


def _are_cases(cases):
    keys = {"signature", "inputs", "outputs"}
    return isinstance(cases, list) and all(
        isinstance(case, dict) and keys <= case.keys() for case in cases
    )
