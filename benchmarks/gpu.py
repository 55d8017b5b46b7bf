"""What XLA and flash attention bring on a GPU.

    KERAS_BACKEND=jax python benchmarks/gpu.py

Forward and backward pass of `kftune.layers.MultiHeadAttention` in float16, with XLA and
without (TensorFlow, JAX), with the flash kernel and without (JAX, PyTorch). All take
turns, after two turns each that warm up. The path that each side took is printed with
it. Without a GPU the script says so and measures nothing; `--any-device` runs it all
the same, to see whether it runs.
"""

import argparse

import keras
from training_steps import make_input, make_step
from turns import print_circumstances, print_table, time_turns

import kftune

# Whether XLA compiles, and `flash_attention`, by what each backend knows.
SIDES = {
    "tensorflow": {"XLA": (True, False), "no XLA": (False, False)},
    "jax": {
        "XLA, flash": (True, True),
        "XLA, no flash": (True, False),
        "no XLA, no flash": (False, False),
    },
    "torch": {"flash": (False, True), "no flash": (False, False)},
}


def devices():
    """Returns the devices that the backend sees, by name."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return [device.device_type for device in tf.config.list_physical_devices()]
    if backend == "jax":
        import jax

        return [device.platform.upper() for device in jax.devices()]
    import torch

    return ["CPU"] + ["GPU"] * torch.cuda.device_count()


def make_sides(arguments):
    """Returns the steps by name; prints the paths taken, and what is refused."""
    shape = (arguments.batch, arguments.length, arguments.hidden)
    sides = {}
    for name, (compiled, flash) in SIDES[keras.backend.backend()].items():
        layer = kftune.layers.MultiHeadAttention(
            arguments.heads,
            arguments.hidden // arguments.heads,
            flash_attention=flash,
            dtype=arguments.dtype,
        )
        layer.build(shape, shape)
        x = make_input(shape, layer.compute_dtype)
        step = make_step(layer, x, compiled=compiled, use_causal_mask=True)
        try:
            step()
        except (ImportError, RuntimeError, ValueError) as error:
            print(f"{name}: refused. {error}")
            continue
        print(f"{name}: took the path {layer.attention_path!r}")
        sides[name] = step
    return sides


def main():
    """Times all sides against the last, which has neither."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--dtype", default="float16")
    parser.add_argument("--turns", type=int, default=11)
    parser.add_argument("--any-device", action="store_true")
    arguments = parser.parse_args()
    if "GPU" not in devices() and not arguments.any_device:
        raise SystemExit(
            f"No GPU: {keras.backend.backend()} sees {devices()} alone. Nothing was "
            "measured."
        )
    print_circumstances()
    sides = make_sides(arguments)
    seconds = time_turns(sides, arguments.turns)
    print_table(seconds, next(reversed(seconds)))


if __name__ == "__main__":
    main()
