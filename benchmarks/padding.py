"""How fast a translation model trains in length buckets, against one fixed length.

    python benchmarks/padding.py --train train.en+train.de --num-pairs 4000

The same model, pairs and tokens a batch, padding included, on both sides: `PairBuckets`
with lengths that it chooses, and with every row padded to 64 tokens, the least length
that holds all captions of Multi30k. Real target tokens a second count. The sides take
turns of one epoch, after two epochs each that warm up. A ratio of 2.00 says that fixed
lengths take twice as long.
"""

import argparse
import statistics

from small_translator import MAX_LENGTH, add_options, make_batches, make_task
from turns import print_circumstances, print_table, time_turns


def main():
    """Times both sides and prints their table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--turns", type=int, default=7)
    arguments = parser.parse_args()
    print_circumstances()
    task, rows = make_task(arguments)
    # A row of T + 1 tokens gives T to predict.
    fixed = [(MAX_LENGTH, MAX_LENGTH)]
    batches = {
        "length buckets": make_batches(task, rows, arguments),
        "fixed length": make_batches(task, rows, arguments, fixed),
    }
    for name, data in batches.items():
        print(f"{name}: {data}", flush=True)

    def side(data):
        return lambda: task.fit(data, shuffle=False, verbose=0)

    seconds = time_turns({n: side(d) for n, d in batches.items()}, arguments.turns)
    print_table(seconds, "length buckets")
    tokens = sum(len(row) - 1 for row in rows["target_token_ids"])
    for name, times in seconds.items():
        speed = tokens / statistics.median(times)
        print(f"{name}: {speed:.0f} target tokens/s")


if __name__ == "__main__":
    main()
