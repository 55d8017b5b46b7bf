"""How long a fit takes whose frozen part is computed once, against every epoch.

    python benchmarks/frozen_cache.py
    python benchmarks/frozen_cache.py --policies all_but_last:2 --dtype float16

The same GPT-2 of random weights (124 M: 12 blocks, width 768), a new head of 2 classes
and the same 1000 rows, as long as film critics' sentences, 5 epochs. A turn is the
whole job: new head, freeze, compile, compute and write the features into an empty
folder, fit. So nothing is warmed up. A ratio of 3.50 says that without the cache it
takes 3.50 times as long; with the head alone to train it cannot exceed the number of
epochs. The losses of both sides are printed, and should be the same.
"""

import argparse
import tempfile

import keras
import numpy as np
from gpt2_pair import add_sizes, make_backbones
from turns import print_circumstances, print_table, time_turns

import kftune

LONGEST = 90


def make_batches(arguments):
    """Returns rows with the lengths of sentences, and labels, in length buckets."""
    rng = np.random.default_rng(0)
    lengths = rng.normal(31, 13, arguments.rows).clip(5, LONGEST).astype(int)
    rows = [rng.integers(0, arguments.vocabulary, length) for length in lengths]
    labels = rng.integers(0, 2, arguments.rows)
    return kftune.data.LengthBucketed(rows, labels, batch_size=arguments.batch)


def make_side(backbone, policy, arguments, *, cached):
    """Returns a function that trains from the same start, with or without a cache."""
    start = backbone.get_weights()

    def run():
        keras.utils.set_random_seed(0)
        backbone.set_weights(start)
        task = kftune.models.attach_head(backbone, 2)
        print(kftune.tuning.freeze(task, policy).policy, "cached:", cached, end=", ")
        task.compile("adamw", jit_compile=kftune.training.choose_jit_compile())
        model, batches = task, make_batches(arguments)
        with tempfile.TemporaryDirectory() as folder:
            if cached:
                cache = kftune.tuning.FrozenFeatureCache(task, folder, arguments.dtype)
                model, batches = cache.model, cache.batches(batches)
            settings = {"epochs": arguments.epochs, "shuffle": False, "verbose": 0}
            losses = model.fit(batches, **settings).history["loss"]
        print("losses", *(f"{loss:.6f}" for loss in losses), flush=True)

    return run


def main():
    """Times a fit with and without the cache, and prints a table a policy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_sizes(parser, layers=12)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--policies", nargs="+", default=["backbone", "all_but_last:2"])
    parser.set_defaults(batch=32, turns=3)
    arguments = parser.parse_args()
    print_circumstances()
    backbone, _ = make_backbones(arguments)
    for policy in arguments.policies:
        sides = {
            f"{policy}, cached": make_side(backbone, policy, arguments, cached=True),
            f"{policy}, no cache": make_side(backbone, policy, arguments, cached=False),
        }
        seconds = time_turns(sides, arguments.turns, warm_up_turns=0)
        print_table(seconds, f"{policy}, cached")


if __name__ == "__main__":
    main()
