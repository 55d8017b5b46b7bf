"""How long the attention layer takes, against that of Keras.

    KERAS_BACKEND=jax python benchmarks/attention.py

Forward and backward pass (of the input and all weights) of
`kftune.layers.MultiHeadAttention` and `keras.layers.MultiHeadAttention` with the same
weights, compiled by XLA, on 8 rows of 128 tokens of width 768 with 12 heads. The two
take turns, after two turns each that warm up. A ratio of 1.10 says that Keras takes
1.10 times as long.
"""

import argparse

import keras
import numpy as np
from training_steps import make_input, make_step
from turns import print_circumstances, print_table, time_turns

import kftune

# What the layer is made with, and what it is called with.
CASES = {
    "no mask": ({}, {}),
    "causal": ({}, {"use_causal_mask": True}),
    "causal and padding": ({}, {"use_causal_mask": True, "attention_mask": True}),
    "causal, dropout in training": (
        {"dropout": 0.1},
        {"use_causal_mask": True, "training": True},
    ),
}


def make_sides(arguments, layer_arguments, call):
    """Returns the compiled step of each layer, by name."""
    shape = (arguments.batch, arguments.length, arguments.hidden)
    if call.get("attention_mask"):
        mask = np.ones((arguments.batch, 1, arguments.length), "bool")
        mask[:, :, -arguments.length // 8 :] = False
        call = {**call, "attention_mask": mask}
    sides, weights = {}, None
    for name, cls in (
        ("kftune", kftune.layers.MultiHeadAttention),
        ("keras", keras.layers.MultiHeadAttention),
    ):
        layer = cls(
            arguments.heads,
            arguments.hidden // arguments.heads,
            dtype=arguments.dtype,
            **layer_arguments,
        )
        layer.build(shape, shape)
        weights = weights or layer.get_weights()
        layer.set_weights(weights)
        sides[name] = make_step(layer, make_input(shape, layer.compute_dtype), **call)
    return sides


def main():
    """Times each case and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--turns", type=int, default=11)
    arguments = parser.parse_args()
    print_circumstances()
    for name, (layer_arguments, call) in CASES.items():
        sides = make_sides(arguments, layer_arguments, call)
        print(f"\n{name}", flush=True)
        print_table(time_turns(sides, arguments.turns), "kftune")


if __name__ == "__main__":
    main()
