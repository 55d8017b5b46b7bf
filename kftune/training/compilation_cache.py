"""Keeps what XLA compiled on disk, so that the next run of the same job starts sooner.

TensorFlow and JAX each have a cache of their own; this file sets both up.
"""

import hashlib
import importlib.metadata
import os
import platform
import warnings
from pathlib import Path

import keras

from kftune.files import keras_cache


def use_compilation_cache():
    """Keeps the compiled steps of this and later processes under the Keras home.

    Call it once, before the first model is built: TensorFlow reads its flags when it
    makes its first tensor. JAX takes the setting at any time. PyTorch's compiler has a
    cache of its own that needs no setting.

    The folder is named after the framework's version and after the processor's
    abilities, because code compiled for one processor can crash on another. It holds
    1 to 10 MB a compiled shape and may be deleted at any time.

    A cache saves XLA's work, not the tracing of Python code before it. TensorFlow
    writes two lines or more from `cpu_aot_loader.cc` to the standard error when it
    reads an entry; they mean no harm on the machine that wrote the entry.

    Returns:
        `Path` of the cache's folder, or `None` on the PyTorch backend.

    Example:
    ```python
    import kftune

    kftune.training.use_compilation_cache()
    task = kftune.models.GPT2TextClassifier.from_preset("gpt2_tiny_en", num_classes=2)
    ```
    """
    backend = keras.config.backend()
    if backend not in ("jax", "tensorflow"):
        return None
    version = importlib.metadata.version(backend)
    folder = keras_cache("xla", f"{backend}-{version}-{_processor()}")
    folder.mkdir(parents=True, exist_ok=True)
    if backend == "jax":
        _set_jax(folder)
    else:
        _set_tensorflow(folder)
    return folder


def _set_jax(folder):
    """Points JAX at the folder and lets it keep what took half a second or more."""
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _set_tensorflow(folder):
    """Adds TensorFlow's flag, unless it is there or comes too late."""
    flag = "--tf_xla_persistent_cache_directory"
    flags = os.environ.get("TF_XLA_FLAGS", "")
    if flag in flags:
        return
    value = f'"{folder}"' if " " in str(folder) else folder
    os.environ["TF_XLA_FLAGS"] = f"{flags} {flag}={value}".strip()
    if _tensorflow_has_started():
        warnings.warn(
            "Expected use_compilation_cache() before TensorFlow makes its first "
            "tensor. Received the call after that, so this process compiles without "
            f"the cache {folder}. Move the call to the top of the program.",
            stacklevel=3,
        )


def _tensorflow_has_started():
    """Whether TensorFlow has read its flags: from then on it refuses other threads."""
    import tensorflow as tf

    threads = tf.config.threading.get_inter_op_parallelism_threads()
    try:
        tf.config.threading.set_inter_op_parallelism_threads(threads + 1)
    except RuntimeError:
        return True
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    return False


def _processor():
    """A name that is equal on machines that can run each other's compiled code."""
    abilities = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(errors="replace").splitlines()
        names = ("flags", "Features", "model name")
        abilities = "".join(sorted({li for li in lines if li.startswith(names)}))
    digest = hashlib.sha256(abilities.encode()).hexdigest()[:12]
    return f"{platform.machine()}-{digest}"
