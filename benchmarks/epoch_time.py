"""How long an epoch takes, against stock KerasHub at a fixed length.

    python benchmarks/epoch_time.py --pairs 7 --share 0.1

The same GPT-2 (`gpt2_tiny_en`), rows and batch size on both sides, and a new Dense
head: ours on length buckets with the task's own settings, stock a `keras_hub`
GPT2Backbone with `GlobalAveragePooling1D` and `Dense` on rows padded to 64 and to 128
tokens, compiled with Keras's defaults. One warm-up epoch of each, then they take turns.
Prints medians and ratios. --share takes a part of the training rows, drawn at random.
"""

import argparse
import statistics
import time

import keras
import numpy as np

import kftune

BATCH_SIZE = 32
LENGTHS = (64, 128)


def read_rows(share):
    """Returns token rows and labels of the training split."""
    rows, _ = kftune.data.clean(kftune.data.read("rotten_tomatoes"))
    train = kftune.data.split(kftune.data.encode_labels(rows))["train"]
    train = train.shuffle(0).select(range(int(share * len(train))))
    preprocessor = kftune.models.load_preprocessor("gpt2_tiny_en")
    preprocessor.sequence_length = min(LENGTHS)
    return preprocessor.tokenize_rows(train["text"]), np.array(train["label"])


def ours(rows, labels):
    """Returns a function that trains one epoch on length buckets."""
    task = kftune.models.TextClassifier.from_preset("gpt2_tiny_en", num_classes=2)
    task.compile("adamw", jit_compile=kftune.training.choose_jit_compile())
    data = kftune.data.LengthBucketed(rows, labels, batch_size=BATCH_SIZE)
    print(data)
    return lambda: task.fit(data, shuffle=False, verbose=0)


def stock(rows, labels, length):
    """Returns a function that trains one epoch on rows of one length."""
    backbone = kftune.models.load_backbone("gpt2_tiny_en").to_keras_hub()
    pooled = keras.layers.GlobalAveragePooling1D()(backbone.output)
    model = keras.Model(backbone.input, keras.layers.Dense(2)(pooled))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adamw", loss, metrics=["accuracy"])
    x = {
        "token_ids": np.zeros((len(rows), length), "int32"),
        "padding_mask": np.zeros((len(rows), length), "int32"),
    }
    for i, row in enumerate(rows):
        x["token_ids"][i, : len(row)] = row
        x["padding_mask"][i, : len(row)] = 1
    return lambda: model.fit(x, labels, batch_size=BATCH_SIZE, verbose=0)


def main():
    """Times the three in turns and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--share", type=float, default=0.1)
    arguments = parser.parse_args()
    rows, labels = read_rows(arguments.share)
    sides = {"length buckets": ours(rows, labels)}
    for length in LENGTHS:
        sides[f"stock, {length} tokens"] = stock(rows, labels, length)
    seconds = {name: [] for name in sides}
    for turn in range(1 + arguments.pairs):
        for name, train_epoch in sides.items():
            start = time.perf_counter()
            train_epoch()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    print(f"{keras.config.backend()}, {len(rows)} rows, {arguments.pairs} turns")
    print(
        "| side | median s an epoch | times ours, median of the turns |\n|---|---|---|"
    )
    base = seconds["length buckets"]
    for name, times in seconds.items():
        ratio = statistics.median(t / b for t, b in zip(times, base, strict=True))
        print(f"| {name} | {statistics.median(times):.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
