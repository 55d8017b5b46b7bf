"""How long a training step of GPT-2 takes, against KerasHub.

    KERAS_BACKEND=jax python benchmarks/train_step.py

The same GPT-2 of 82 M random weights (6 blocks, width 768) learns the next token of 8
rows of 128 tokens with Adam, all weights trained, dropout off, compiled as each task
compiles itself. The sides take turns, after two turns each that warm up. A ratio of
1.15 says that KerasHub takes 1.15 times as long.
"""

import argparse

import keras
import keras_hub
import numpy as np
from gpt2_pair import add_sizes, make_backbones
from turns import print_circumstances, print_table, time_turns

import kftune


def make_side(task, rows):
    """Returns a function that trains one step and waits for its loss."""
    task.compile(keras.optimizers.Adam(1e-5), jit_compile="auto")
    x = {"token_ids": rows[:, :-1], "padding_mask": np.ones_like(rows[:, :-1])}
    weight = np.ones(rows[:, 1:].shape, "float32")
    return lambda: float(task.train_on_batch(x, rows[:, 1:], weight)[0])


def main():
    """Times both sides and prints their table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", type=int, default=128)
    add_sizes(parser, layers=6)
    arguments = parser.parse_args()
    print_circumstances()
    ours, stock = make_backbones(arguments)
    shape = (arguments.batch, arguments.length + 1)
    rows = np.random.default_rng(0).integers(0, arguments.vocabulary, shape)
    rows = rows.astype("int32")
    sides = {
        "kftune": make_side(kftune.models.GPT2CausalLM(ours), rows),
        "KerasHub": make_side(keras_hub.models.GPT2CausalLM(stock), rows),
    }
    for name, run in sides.items():
        print(f"{name}: loss of the first step {run():.4f}", flush=True)
    print_table(time_turns(sides, arguments.turns), "kftune")


if __name__ == "__main__":
    main()
