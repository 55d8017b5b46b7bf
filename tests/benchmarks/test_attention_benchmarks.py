import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.backend

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TINY = [
    f"--{name}={value}"
    for name, value in (
        ("batch", 2),
        ("length", 8),
        ("hidden", 16),
        ("heads", 2),
        ("turns", 2),
        ("dtype", "float32"),
    )
]


def run(script, *arguments):
    root = str(BENCHMARKS.parent)
    return subprocess.run(
        [sys.executable, script, *arguments],
        cwd=BENCHMARKS,
        env={**os.environ, "PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_gpu_says_that_there_is_none():
    process = run("gpu.py")
    if process.returncode == 0:
        pytest.skip("there is a GPU")
    assert re.search(r"No GPU: \w+ sees \['CPU'\] alone", process.stderr)
    assert "ms" not in process.stdout


@pytest.mark.parametrize(
    ("script", "arguments", "sides"),
    [("gpu.py", ["--any-device"], ["no "]), ("attention.py", [], ["kftune", "keras"])],
)
def test_a_table_of_ratios(script, arguments, sides):
    process = run(script, *TINY, *arguments)
    assert process.returncode == 0, process.stderr
    assert re.search(r"KERAS_BACKEND=\w+ python \w+.py --batch=2", process.stdout)
    assert re.search(r"\d cores, Python 3\.\d+", process.stdout)
    for side in sides:
        pattern = rf"\| .*{side}.* \| \d+\.\d\d \| \d+\.\d+ \(\d+\.\d+ to \d+\.\d+\) \|"
        assert re.search(pattern, process.stdout), process.stdout
