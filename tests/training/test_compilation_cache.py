import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from kftune.training.compilation_cache import use_compilation_cache

pytestmark = pytest.mark.backend

TRAIN_ONE_STEP = """
import keras
import numpy as np
import kftune

print(kftune.training.use_compilation_cache())
if keras.config.backend() == "jax":
    import jax

    # It keeps what takes XLA a while, which depends on the machine.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
layers = [keras.layers.Dense(8, activation="gelu") for _ in range(2)]
model = keras.Sequential(layers)
model.compile("adamw", "mse", jit_compile=True)
model.train_on_batch(np.ones((2, 8)), np.ones((2, 8)))
"""


def train_in_a_fresh_process(keras_home):
    """Returns the cache's folder and when each of its entries was written."""
    environment = {**os.environ, "KERAS_HOME": str(keras_home)}
    environment.pop("TF_XLA_FLAGS", None)
    output = subprocess.run(
        [sys.executable, "-c", TRAIN_ONE_STEP],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    folder = Path(output.splitlines()[0])
    written = {
        path.name: path.stat().st_mtime_ns
        for path in folder.iterdir()
        if not path.name.endswith("-atime")
    }
    return folder, written


@pytest.mark.long
@pytest.mark.skipif(keras.config.backend() == "torch", reason="nothing to set")
def test_second_process_finds_what_the_first_compiled(tmp_path):
    tmp_path = tmp_path / "with a space"
    folder, first = train_in_a_fresh_process(tmp_path)
    assert folder.is_relative_to(tmp_path / "kftune" / "xla")
    assert folder.name.startswith(keras.config.backend())
    assert any(name.startswith(("xla_compile", "jit_train_step")) for name in first)
    # A missed entry would be compiled and written again.
    assert train_in_a_fresh_process(tmp_path) == (folder, first)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow's flags")
def test_late_call_is_told_and_harmless(tmp_path, monkeypatch):
    keras.ops.ones(1)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_clustering_debug=false")
    with pytest.warns(UserWarning, match="before TensorFlow makes its first") as warned:
        folder = use_compilation_cache()
    assert str(folder) in str(warned[0].message)
    flags = os.environ["TF_XLA_FLAGS"].split()
    assert flags == [
        "--tf_xla_clustering_debug=false",
        f"--tf_xla_persistent_cache_directory={folder}",
    ]
    assert use_compilation_cache() == folder
    assert os.environ["TF_XLA_FLAGS"].split() == flags


@pytest.mark.skipif(keras.config.backend() != "torch", reason="PyTorch alone")
def test_nothing_is_set_for_pytorch(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert use_compilation_cache() is None
    assert not list(tmp_path.iterdir())
