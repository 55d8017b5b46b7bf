"""How long a training step of GPT-2 takes, and how much memory, against KerasHub.

    KERAS_BACKEND=jax python benchmarks/train_step.py
    KERAS_BACKEND=jax python benchmarks/train_step.py --policy all_but_last:1

The same GPT-2 of 82 M random weights (6 blocks, width 768) learns the next token of 8
rows of 128 tokens with Adam, all weights trained or as `--policy` freezes them, dropout
off, compiled as each task compiles itself. On JAX the memory is told that XLA plans for
what a step computes, beside weights and batch. The sides take turns, after two turns
each that warm up. A ratio of 1.15 says that KerasHub takes 1.15 times as long.
"""

import argparse

import keras
import keras_hub
import numpy as np
from gpt2_pair import add_sizes, make_backbones
from turns import print_circumstances, print_table, time_turns

import kftune


def make_batch(rows):
    """Returns features, labels and weights of rows of token ids."""
    x = {"token_ids": rows[:, :-1], "padding_mask": np.ones_like(rows[:, :-1])}
    return x, rows[:, 1:], np.ones(rows[:, 1:].shape, "float32")


def make_side(task, batch, policy):
    """Returns a function that trains one step and waits for its loss."""
    task.compile(keras.optimizers.Adam(1e-5), jit_compile="auto")
    kftune.tuning.freeze(task, policy)
    return lambda: float(task.train_on_batch(*batch)[0])


def planned_megabytes(task, batch):
    """Returns the memory that XLA plans for what a step of a trained task computes."""
    import jax

    state = [
        [variable.value for variable in variables]
        for variables in (
            task.trainable_variables,
            task.non_trainable_variables,
            task.optimizer.variables,
            task.metrics_variables,
        )
    ]
    step = jax.jit(task.train_step).lower(tuple(state), batch).compile()
    return step.memory_analysis().temp_size_in_bytes / 1e6


def main():
    """Times both sides and prints their table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--policy", default="nothing", help="of kftune.tuning.freeze")
    add_sizes(parser, layers=6)
    arguments = parser.parse_args()
    print_circumstances()
    ours, stock = make_backbones(arguments)
    shape = (arguments.batch, arguments.length + 1)
    rows = np.random.default_rng(0).integers(0, arguments.vocabulary, shape)
    batch = make_batch(rows.astype("int32"))
    tasks = {
        "kftune": kftune.models.GPT2CausalLM(ours),
        "KerasHub": keras_hub.models.GPT2CausalLM(stock),
    }
    sides = {
        name: make_side(task, batch, arguments.policy) for name, task in tasks.items()
    }
    for name, run in sides.items():
        print(f"{name}: loss of the first step {run():.4f}", flush=True)
        if keras.backend.backend() == "jax":
            print(f"{name}: {planned_megabytes(tasks[name], batch):.0f} MB", flush=True)
    print_table(time_turns(sides, arguments.turns), "kftune")


if __name__ == "__main__":
    main()
