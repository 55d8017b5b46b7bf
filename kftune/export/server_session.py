"""A session on a SavedModel that runs as in TF Serving's stock server: without XLA."""

import ctypes
import dataclasses
import importlib.util
import os
import threading
from pathlib import Path

import numpy as np

from kftune.error_text import first_few

_CC_LIBRARY = "libtensorflow_cc.so.2"
_DISABLE_XLA = "_ZN10tensorflow21DisableXlaCompilationEv"
_preparing = threading.Lock()


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """One input or output of a signature.

    Attributes:
        dtype: `str`, TensorFlow's name: `"string"`, `"float32"`, `"int32"`, `"int64"`.
        shape: tuple of `int`, and `None` for a dynamic dimension; or `None` if even the
            rank is not known.
        tensor: `str`, the tensor in the graph, such as `"serving_default_text:0"`.
    """

    dtype: str
    shape: tuple | None
    tensor: str


@dataclasses.dataclass(frozen=True)
class Signature:
    """What a signature takes and gives.

    Attributes:
        inputs: `dict` of `str` to `TensorSpec`.
        outputs: `dict` of `str` to `TensorSpec`.
    """

    inputs: dict
    outputs: dict


class ServerSession:
    """Loads a SavedModel as the stock server does, and runs its signatures.

    It is not TF Serving, but the nearest thing to it that needs no server: TensorFlow's
    loader for sessions, TF Text's ops, and XLA compilation disabled as in a server that
    is started without `--xla_cpu_compilation_enabled`. XLA is disabled for the whole
    process, and for good, so a process that also trains or predicts with Keras must not
    make one. Threads may call `run` at the same time.

    Args:
        version_folder: `str` or `Path`, the folder that holds `saved_model.pb`.
        xla: `bool`. True leaves XLA as it is, as a server does that is started with
            that flag; for models that were exported for it.

    Raises:
        FileNotFoundError: if there is no `saved_model.pb`.
        ImportError: if TensorFlow or TF Text is not installed.
        tf.errors.OpError: if the SavedModel cannot be loaded.

    Example:
    ```python
    session = ServerSession("serving/reviews/1")
    session.signatures["serving_default"].inputs  # {"text": TensorSpec("string", …)}
    session.run("serving_default", {"text": np.array([b"A treat."], object)})
    ```
    """

    def __init__(self, version_folder, *, xla=False):
        folder = Path(version_folder)
        if not (folder / "saved_model.pb").is_file():
            raise FileNotFoundError(
                f"Expected a SavedModel in {folder}. Received: a folder without "
                "saved_model.pb. Pass the folder of a version, such as reviews/1."
            )
        tf = _tensorflow_as_served(xla)
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        with graph.as_default():
            load = tf.compat.v1.saved_model.load
            self.meta_graph = load(self._session, ["serve"], str(folder))
        graph.finalize()
        self.signatures = read_signatures(self.meta_graph)

    def run(self, signature, inputs):
        """Runs a signature on a batch.

        Args:
            signature: `str`, its name.
            inputs: `dict` of `str` to arrays, or what `np.asarray` takes, one for each
                input of the signature. Strings are `bytes` or `str`.

        Returns:
            `dict` of `str` to `np.ndarray`, an array for each output. Strings are
            `bytes` in arrays of objects.

        Raises:
            ValueError: if there is no such signature, or if the inputs are others than
                those of the signature.
            tf.errors.OpError: if the graph fails.
        """
        spec = self._signature(signature)
        if inputs.keys() != spec.inputs.keys():
            raise ValueError(
                f"Expected for the signature {signature} the inputs "
                f"{sorted(spec.inputs)}. Received: {sorted(inputs)}"
            )
        feeds = {
            spec.inputs[name].tensor: _array(value, spec.inputs[name].dtype)
            for name, value in inputs.items()
        }
        fetches = {name: output.tensor for name, output in spec.outputs.items()}
        return self._session.run(fetches, feeds)

    def _signature(self, name):
        if name not in self.signatures:
            raise ValueError(
                f"Expected one of the signatures {first_few(sorted(self.signatures))}. "
                f"Received: {name!r}"
            )
        return self.signatures[name]


def tensorflow_library():
    """Finds TensorFlow's C++ library without importing TensorFlow.

    Returns:
        `Path`.

    Raises:
        ImportError: if TensorFlow is not installed.
    """
    return _package_folder("tensorflow") / _CC_LIBRARY


def text_op_libraries():
    """Finds the libraries of TF Text's ops without importing TF Text.

    Returns:
        List of `Path`.

    Raises:
        ImportError: if TF Text is not installed.
    """
    folder = _package_folder("tensorflow_text") / "python" / "ops"
    return sorted(folder.glob("*.so"))


def _package_folder(name):
    found = importlib.util.find_spec(name)
    if found is None:
        raise ImportError(
            f"Expected the package {name} to be installed. Received: none. "
            "Run: pip install kftune"
        )
    return Path(found.submodule_search_locations[0])


def _tensorflow_as_served(xla):
    """TensorFlow with TF Text's ops; without `xla`, XLA is disabled for good."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    with _preparing:
        if not xla:
            getattr(ctypes.CDLL(str(tensorflow_library())), _DISABLE_XLA)()
        for library in text_op_libraries():
            tf.load_op_library(str(library))
    return tf


def read_signatures(meta_graph):
    """Reads what the signatures of a SavedModel take and give.

    Args:
        meta_graph: `MetaGraphDef`.

    Returns:
        `dict` of `str` to `Signature`, without the one that only the loader uses.
    """
    return {
        name: Signature(_specs(definition.inputs), _specs(definition.outputs))
        for name, definition in sorted(meta_graph.signature_def.items())
        if not name.startswith("__saved_model")
    }


def _specs(tensor_infos):
    import tensorflow as tf

    specs = {}
    for name, info in sorted(tensor_infos.items()):
        shape = tf.TensorShape(info.tensor_shape)
        dims = None if shape.rank is None else tuple(shape.as_list())
        specs[name] = TensorSpec(tf.as_dtype(info.dtype).name, dims, info.name)
    return specs


def _array(value, dtype):
    """An array that a session takes; text becomes bytes."""
    if dtype != "string":
        return np.asarray(value, dtype)
    array = np.asarray(value, object)
    encoded = [t.encode("utf-8") if isinstance(t, str) else t for t in array.flat]
    return np.array(encoded, object).reshape(array.shape)
