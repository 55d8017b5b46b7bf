"""Does compiling with XLA pay in a short CPU job?

Trains a GPT-2 of 5.3M parameters (vocabulary 8192, 4 layers, 4 heads, width 256) with
a new head on batches of 32 rows of 16, 32 or 64 tokens, with `jit_compile` and
without, in turns of one short epoch each, so that both meet the same load of the
machine. From the steps it adds up a job of 3 epochs of 300 steps. The first steps of
each length, in which Keras traces and XLA compiles, are measured with an empty cache
and, in a second process, with the cache that the first one has filled.

    python benchmarks/compile_or_not.py tensorflow jax

takes about six minutes on two cores. Read ratios, not seconds.
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
TURNS = 4
STEPS_A_LENGTH = 3


def measure():
    """Returns, with and without compilation, the seconds of first and later steps."""
    from kftune.training import use_compilation_cache

    use_compilation_cache()
    models = {name: build(name == "compiled") for name in ("compiled", "not compiled")}
    # The first and the later steps of each model, in seconds.
    seconds = {name: ([], []) for name in models}
    for turn in range(TURNS):
        for name, model in models.items():
            steps = time_steps(model)
            first, later = seconds[name]
            if turn == 0:
                first += [step[0] for step in steps.values()]
            else:
                later += [statistics.mean(step) for step in steps.values()]
    return seconds


def build(jit_compile):
    """Returns a compiled classifier on a stock GPT-2 backbone."""
    import keras
    import keras_hub

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
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adamw", loss, jit_compile=jit_compile)
    return model


def time_steps(model):
    """Fits one epoch of a few steps a length; returns their seconds by length."""
    import keras
    import numpy as np

    from kftune.data import LengthBucketed

    rng = np.random.default_rng(0)
    count = BATCH_SIZE * STEPS_A_LENGTH
    rows = [rng.integers(0, 8192, length) for length in LENGTHS for _ in range(count)]
    data = LengthBucketed(
        rows, np.zeros(len(rows), int), batch_size=BATCH_SIZE, shuffle=False
    )
    lengths = [batch[0]["token_ids"].shape[1] for batch in data]
    seconds = {length: [] for length in LENGTHS}

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            now = time.perf_counter()
            seconds[lengths[batch]].append(now - self.start)
            self.start = now

    model.fit(data, shuffle=False, verbose=0, callbacks=[Clock()])
    return seconds


def run(backend, keras_home):
    """Measures in a fresh process whose caches live in `keras_home`."""
    environment = dict(
        os.environ,
        KERAS_BACKEND=backend,
        KERAS_HOME=keras_home,
        TF_CPP_MIN_LOG_LEVEL="3",
    )
    output = subprocess.run(
        [sys.executable, __file__, "--measure"],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return json.loads(output.splitlines()[-1])


def main(backends):
    """Prints one line a backend, state of the cache and way of running."""
    print(f"{'backend':12}{'cache':7}{'':14}{'first steps':>12}{'a step':>9}{'job':>8}")
    for backend in backends:
        with tempfile.TemporaryDirectory() as keras_home:
            for cache in ("empty", "full"):
                for name, (first, later) in run(backend, keras_home).items():
                    step = statistics.mean(later)
                    job = sum(first) + step * (JOB_STEPS - len(LENGTHS))
                    print(
                        f"{backend:12}{cache:7}{name:14}{sum(first):10.1f} s"
                        f"{step * 1000:6.0f} ms{job:6.0f} s",
                        flush=True,
                    )


if __name__ == "__main__":
    if sys.argv[1:] == ["--measure"]:
        print(json.dumps(measure()))
    else:
        main(sys.argv[1:] or ["tensorflow", "jax"])
