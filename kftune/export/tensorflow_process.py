"""Exports what JAX or PyTorch trained: the saved task goes to a TensorFlow process."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import keras

from kftune.export.checks.processes import environment

_LAST_LINES = 15


def export_in_tensorflow(task, folder, version, options):
    """Saves a task aside and exports it in a process of its own.

    Args:
        task: as for `export_saved_model`, and so are the others.
        folder: `Path`.
        version: `int` or `None`.
        options: dict of the other arguments.

    Returns:
        `Path` of the version's folder.

    Raises:
        RuntimeError: if the process fails; shows the last lines that it wrote.
    """
    with tempfile.TemporaryDirectory() as aside:
        task.save_to_preset(f"{aside}/task")
        job = {
            "preset": f"{aside}/task",
            "sampler": _serialized(getattr(task, "sampler", None)),
            "folder": str(folder),
            "version": version,
            "options": options,
            "result": f"{aside}/result.json",
        }
        Path(aside, "job.json").write_text(json.dumps(job), "utf-8")
        done = subprocess.run(
            [sys.executable, "-m", __name__, f"{aside}/job.json"],
            env={**environment(), "KERAS_BACKEND": "tensorflow"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = "\n".join(done.stderr.splitlines()[-_LAST_LINES:])
            raise RuntimeError(
                "Expected the process that exports by TensorFlow to end well. "
                f"Received exit status {done.returncode}:\n{last}"
            )
        # Warnings, such as that of an export without warm-up requests.
        print(done.stderr, end="", file=sys.stderr)
        return Path(json.loads(Path(job["result"]).read_text("utf-8")))


def run(job_file):
    """Does the work in the process of its own.

    Args:
        job_file: `str`, path of what `export_in_tensorflow` wrote.
    """
    import kftune.decoding  # Keras learns of its samplers
    from kftune.export.saved_model import export_saved_model

    job = json.loads(Path(job_file).read_text("utf-8"))
    task = kftune.models.load_task(job["preset"])
    if job["sampler"] is not None:
        sampler = keras.saving.deserialize_keras_object(job["sampler"])
        task.compile(sampler=sampler)
    written = export_saved_model(task, job["folder"], job["version"], **job["options"])
    Path(job["result"]).write_text(json.dumps(str(written)), "utf-8")


def _serialized(sampler):
    return None if sampler is None else keras.saving.serialize_keras_object(sampler)


if __name__ == "__main__":
    run(sys.argv[1])
