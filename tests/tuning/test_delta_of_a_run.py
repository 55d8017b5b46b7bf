"""What a run with LoRA ends with is a delta of its base."""

import numpy as np
import pytest
from delta_task import LABELS, TEXTS, make_task

from kftune.training import fit_run, open_run, split_batches
from kftune.tuning import freeze, load_delta, save_delta

pytestmark = pytest.mark.backend


def run(folder):
    """The task of a run, finished anew or before."""
    task = make_task()
    freeze(task, "lora:rank=2")
    rows = {"text": TEXTS, "label": LABELS.tolist()}
    batches = split_batches(task, {"train": rows, "validation": rows}, batch_size=2)
    task.compile("adam", jit_compile=False)
    open_run(folder, {})
    fit_run(task, batches["train"], batches["validation"], folder, epochs=2)
    return task


@pytest.mark.long
def test_it_loads_on_the_base(tmp_path):
    for _ in range(2):  # the second time the run has ended
        task = run(tmp_path / "run")
        save_delta(task, tmp_path / "a.delta")
        loaded = make_task()
        before = loaded.predict(TEXTS, verbose=0)
        load_delta(loaded, tmp_path / "a.delta")
        received = loaded.predict(TEXTS, verbose=0)
        assert np.abs(received - before).max() > 1e-4
        np.testing.assert_allclose(received, task.predict(TEXTS, verbose=0), atol=1e-6)
