"""What the export of GPT-2 of 124M weights takes: size, time to write, time to load.

    python benchmarks/export_gpt2.py

The weights are random; the tokenizer is that of `gpt2_tiny_en`. Loading is timed in a
process of its own, as a session of the server loads it, up to the first answer.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gpt2_pair import add_sizes, make_backbones
from turns import print_circumstances

import kftune

_LOAD = """
import sys, time
from pathlib import Path
import tensorflow as tf
from kftune.export.server_session import ServerSession

started = time.perf_counter()
session = ServerSession(Path(sys.argv[1]))
loaded = time.perf_counter()
session.run("serving_default", {"text": [b"A film about"]})
print(f"load: {loaded - started:.1f} s, first answer: "
      f"{time.perf_counter() - loaded:.1f} s")
"""


def make_task(arguments):
    """Returns a causal LM of random weights."""
    tiny = kftune.models.GPT2CausalLM.from_preset("gpt2_tiny_en", load_weights=False)
    backbone, _ = make_backbones(arguments)
    return kftune.models.GPT2CausalLM(backbone, tiny.preprocessor)


def main():
    """Exports, and prints size and seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_sizes(parser, layers=12)
    arguments = parser.parse_args()
    print_circumstances()
    task = make_task(arguments)
    weights = 4 * task.count_params()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        path = kftune.export.export_saved_model(task, Path(folder, "gpt2"))
        seconds = time.perf_counter() - started
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        print(f"{task.count_params() / 1e6:.1f}M weights, {weights / 1e6:.1f} MB")
        print(f"export: {size / 1e6:.1f} MB, {size / weights - 1:+.1%}")
        print(f"written in {seconds:.1f} s", flush=True)
        subprocess.run([sys.executable, "-c", _LOAD, str(path)], check=True)


if __name__ == "__main__":
    main()
