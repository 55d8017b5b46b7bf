"""The check `c_api`: loads by TensorFlow's C API, without TensorFlow for Python."""

import ctypes
import sys

from kftune.export.checks.outcome import failed, ok
from kftune.export.server_session import tensorflow_library, text_op_libraries

_ADVICE = (
    "The server loads in this way, too: it needs every op, kernel, variable and table "
    "in the SavedModel itself"
)


def check(version, options=None):
    """Loads a version as a server does that holds no Python.

    Args:
        version: `Path`, the folder of the version.
        options: not used.

    Returns:
        `Outcome`.
    """
    tensorflow = _library()
    status = tensorflow.TF_NewStatus()
    libraries = text_op_libraries()
    for path in libraries:
        tensorflow.TF_LoadLibrary(str(path).encode(), status)
        if problem := _problem(tensorflow, status):
            return failed(f"TF Text's {path.name} cannot be loaded: {problem}")
    graph = _load(tensorflow, version, status)
    if problem := _problem(tensorflow, status):
        return failed(f"{problem}. {_ADVICE}")
    if "tensorflow" in sys.modules:
        return failed("TensorFlow for Python was imported, so this shows nothing")
    return ok(
        f"{_count_operations(tensorflow, graph)} operations loaded by the C API with "
        f"{len(libraries)} libraries of TF Text, without TensorFlow for Python"
    )


def _library():
    """TensorFlow's C API, with the types of the functions that give pointers."""
    library = ctypes.CDLL(str(tensorflow_library()))
    for name in (
        "TF_NewStatus",
        "TF_NewGraph",
        "TF_NewSessionOptions",
        "TF_LoadLibrary",
        "TF_LoadSessionFromSavedModel",
        "TF_GraphNextOperation",
    ):
        getattr(library, name).restype = ctypes.c_void_p
    library.TF_Message.restype = ctypes.c_char_p
    pointers = [ctypes.c_void_p] * 8
    library.TF_LoadLibrary.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    library.TF_Message.argtypes = library.TF_GetCode.argtypes = pointers[:1]
    library.TF_GraphNextOperation.argtypes = pointers[:2]
    library.TF_LoadSessionFromSavedModel.argtypes = [
        *pointers[:2],
        ctypes.c_char_p,
        ctypes.POINTER(ctypes.c_char_p),
        ctypes.c_int,
        *pointers[:3],
    ]
    return library


def _load(tensorflow, version, status):
    """The graph of a session; `status` tells whether it could be made."""
    graph = tensorflow.TF_NewGraph()
    tags = (ctypes.c_char_p * 1)(b"serve")
    tensorflow.TF_LoadSessionFromSavedModel(
        tensorflow.TF_NewSessionOptions(),
        None,
        str(version).encode(),
        tags,
        len(tags),
        graph,
        None,
        status,
    )
    return graph


def _problem(tensorflow, status):
    """What went wrong, or `None`."""
    if tensorflow.TF_GetCode(status) == 0:
        return None
    return tensorflow.TF_Message(status).decode("utf-8", "replace").split("\n")[0]


def _count_operations(tensorflow, graph):
    position, count = ctypes.c_size_t(0), 0
    while tensorflow.TF_GraphNextOperation(graph, ctypes.byref(position)):
        count += 1
    return count
