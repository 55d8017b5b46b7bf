"""Does compiling with XLA pay in a short CPU job?

Trains a GPT-2 of 5.3M parameters (vocabulary 8192, 4 layers, 4 heads, width 256)
with a new head for a few steps at each of three lengths, with and without
`jit_compile`, each in a process of its own, and adds up what 3 epochs of 300 steps
would take: the first steps as measured, the others at the median step's time.
Every backend runs uncompiled, compiled with an empty cache, and compiled again with
the cache that the run before it has filled.

    python benchmarks/compile_or_not.py tensorflow jax

takes about five minutes on two cores. Read ratios, not seconds: both depend on what
else the machine is doing.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

LENGTHS = (16, 32, 64)
BATCH_SIZE = 32
JOB_STEPS = 3 * 300
TIMED_STEPS = 8


def measure(jit_compile):
    """Returns the seconds of each length's first step and of its median step."""
    import keras
    import keras_hub
    import numpy as np

    from kftune.training import use_compilation_cache

    use_compilation_cache()
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=8192,
        num_layers=4,
        num_heads=4,
        hidden_dim=256,
        intermediate_dim=1024,
        max_sequence_length=max(LENGTHS),
    )
    pooled = keras.layers.GlobalAveragePooling1D()(backbone.output)
    model = keras.Model(backbone.input, keras.layers.Dense(2)(pooled))
    model.compile(
        "adamw",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile,
    )
    rng = np.random.default_rng(0)
    first, later = [], []
    for length in LENGTHS:
        x = {
            "token_ids": rng.integers(0, 8192, (BATCH_SIZE, length), "int32"),
            "padding_mask": np.ones((BATCH_SIZE, length), bool),
        }
        y = rng.integers(0, 2, BATCH_SIZE)
        seconds = []
        for _ in range(1 + TIMED_STEPS):
            start = time.perf_counter()
            float(model.train_on_batch(x, y))
            seconds.append(time.perf_counter() - start)
        first.append(seconds[0])
        later.append(statistics.median(seconds[1:]))
    return {"first": first, "later": later}


def run(backend, jit_compile, keras_home):
    """Measures in a fresh process whose caches live in `keras_home`."""
    environment = dict(
        os.environ,
        KERAS_BACKEND=backend,
        KERAS_HOME=keras_home,
        TF_CPP_MIN_LOG_LEVEL="3",
    )
    output = subprocess.run(
        [sys.executable, __file__, "--measure", str(int(jit_compile))],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return json.loads(output.splitlines()[-1])


def main(backends):
    """Prints one line a backend and way of compiling."""
    print(f"{'backend':12}{'compiled':16}{'first steps':>12}{'a step':>9}{'job':>8}")
    for backend in backends:
        with tempfile.TemporaryDirectory() as keras_home:
            for name, jit_compile in (
                ("no", False),
                ("yes, cold cache", True),
                ("yes, warm cache", True),
            ):
                result = run(backend, jit_compile, keras_home)
                first = sum(result["first"])
                step = statistics.mean(result["later"])
                job = first + step * (JOB_STEPS - len(LENGTHS))
                print(
                    f"{backend:12}{name:16}{first:10.1f} s{step * 1000:6.0f} ms"
                    f"{job:6.0f} s",
                    flush=True,
                )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(bool(int(sys.argv[2])))))
    else:
        main(sys.argv[1:] or ["tensorflow", "jax"])
