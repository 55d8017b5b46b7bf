"""Whether a training goes the same way on every backend.

    for backend in tensorflow jax torch; do
        KERAS_BACKEND=$backend python benchmarks/backend_parity.py \
            --train train.en+train.de --num-pairs 6000 --out runs/parity
    done

The first backend writes its initial weights under --out, the others begin with them;
dropout is 0 and all get the same batches. Each prints and keeps its loss, the mean of
the last 50 steps, and how far it is from that of the first.
"""

import argparse
import json
from pathlib import Path

import keras
from small_translator import add_options, make_batches, make_task

LAST = 50


def train(task, data, steps):
    """Trains on as many batches; returns the mean loss of the last ones."""
    for step in range(steps):
        if step == steps - LAST:
            task.reset_metrics()
        x, y, weight = data[step % len(data)]
        loss, *_ = task.train_on_batch(x, y, weight)
        if step % LAST == LAST - 1:
            print(f"step {step + 1}: loss so far {float(loss):.4f}", flush=True)
    return float(loss)


def main():
    """Trains on this backend and compares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("runs/parity"))
    arguments = parser.parse_args()
    task, rows = make_task(arguments)
    data = make_batches(task, rows, arguments)
    print(data)
    arguments.out.mkdir(parents=True, exist_ok=True)
    initial = arguments.out / "initial.weights.h5"
    if not initial.exists():
        task.save_weights(initial)
    task.load_weights(initial)
    loss = train(task, data, arguments.steps)
    kept = arguments.out / "losses.json"
    losses = json.loads(kept.read_text("utf-8")) if kept.exists() else {}
    losses[keras.config.backend()] = loss
    kept.write_text(json.dumps(losses), encoding="utf-8")
    first, reference = next(iter(losses.items()))
    for backend, loss in losses.items():
        change = 100 * (loss / reference - 1)
        print(f"{backend}: loss {loss:.5f}, {change:+.3f} % of {first}'s")


if __name__ == "__main__":
    main()
