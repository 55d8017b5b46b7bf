"""A delta that was saved on one backend predicts the same on the two others."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from delta_task import TEXTS, draw, make_task

from kftune.tuning import freeze, save_delta

pytestmark = [pytest.mark.backend, pytest.mark.slow]

PROGRAM = """
import sys

import keras
import numpy as np
from delta_task import TEXTS, make_task

from kftune.tuning import load_delta

out, *paths = sys.argv[1:]
outputs = {}
for path in paths:
    task = make_task()
    load_delta(task, path)
    outputs[path] = task.predict(TEXTS, verbose=0)
np.savez(out, backend=keras.config.backend(), **outputs)
"""


def test_predictions_are_the_same_on_the_other_backends(tmp_path):
    expected = {}
    for policy in ("all_but_last:1", "lora:rank=2"):
        task = make_task()
        freeze(task, policy)
        draw(task)
        path = str(tmp_path / f"{policy[:4]}.delta")
        save_delta(task, path)
        expected[path] = task.predict(TEXTS, verbose=0)
        assert np.ptp(expected[path]) > 0.01
    others = {"tensorflow", "jax", "torch"} - {keras.config.backend()}
    for backend in others:
        out = tmp_path / f"{backend}.npz"
        path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(out), *expected],
            env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": path},
            check=True,
            timeout=300,
        )
        with np.load(out) as found:
            assert str(found["backend"]) == backend
            for name, values in expected.items():
                np.testing.assert_allclose(found[name], values, atol=1e-5)
