"""Fine-tune a pretrained text model with a new Dense head on labelled text.

    python recipes/classify_reviews.py
    python recipes/classify_reviews.py --preset minilm_l6 --epochs 2
    python recipes/classify_reviews.py --data tickets.csv --text question --label queue
    python recipes/classify_reviews.py --config recipes/configs/gpt2_base.yaml

With the defaults: GPT-2 (`gpt2_tiny_en`) on 12,800 sentences of film critics, about 5
minutes on 2 cores. What it reaches stands in docs/results.md. Under --out it writes
results.json, history.csv, curves.png, confusion.png, logs for TensorBoard and model/, a
preset folder. A run that was stopped goes on from its last whole epoch.
"""

import time
from pathlib import Path

import keras
import numpy as np

import kftune
from kftune.cli.option_types import (
    DropoutRate,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Seed,
)
from kftune.cli.recipe import run_recipe


def main(
    *,
    preset: str = "gpt2_tiny_en",
    data: str = "rotten_tomatoes",
    text: str | None = None,
    label: str | None = None,
    group: str | None = None,
    freeze: str = "nothing",
    epochs: PositiveInt = 3,
    batch_size: PositiveInt = 32,
    learning_rate: PositiveFloat = 5e-4,
    weight_decay: NonNegativeFloat = 0.01,
    dropout: DropoutRate = 0.1,
    pretrained: bool = True,
    seed: Seed = 0,
    split_seed: Seed = 0,
    out: Path = Path("runs/classify_reviews"),
):
    """Read, clean, split, build, freeze, fit, evaluate, save.

    Args:
        preset: pretrained model: a name of `kftune presets`, a KerasHub name, or a
            folder.
        data: named corpus, or a file.
        text: column of the texts.
        label: column of the classes.
        group: column whose rows stay in one split.
        freeze: policy: "nothing", "backbone" (head only), "all_but_last:2", ...
        epochs: the most epochs; training stops after 2 without progress.
        batch_size: texts a step.
        learning_rate: peak of AdamW's; rises over a tenth of the steps, falls to 0.
        weight_decay: of AdamW, not for biases and norms.
        dropout: share of the head's inputs that training drops.
        pretrained: False starts from random weights, for comparison.
        seed: of weights, dropout and order.
        split_seed: of the split into train, validation and test.
        out: folder for all that is written.
    """
    settings = dict(locals())
    started = time.perf_counter()
    kftune.training.open_run(out, settings)
    kftune.training.use_compilation_cache()
    keras.utils.set_random_seed(seed)

    rows = kftune.data.read(data, text=text, label=label, group=group)
    rows, _ = kftune.data.clean(rows)
    rows = kftune.data.encode_labels(rows)
    splits = kftune.data.split(rows, validation=0.1, test=0.1, seed=split_seed)
    names = rows.features["label"].names

    task = kftune.models.TextClassifier.from_preset(
        preset, label_names=names, dropout=dropout, load_weights=pretrained
    )
    train, validation, test = (
        kftune.data.LengthBucketed(
            task.preprocessor.tokenize_rows(splits[part]["text"]),
            np.array(splits[part]["label"]),
            batch_size=batch_size,
            shuffle=part == "train",
            seed=seed,
        )
        for part in ("train", "validation", "test")
    )
    print(train)
    optimizer = kftune.training.adamw(
        task, learning_rate, epochs * len(train), weight_decay
    )
    task.compile(optimizer, jit_compile=kftune.training.choose_jit_compile())
    print(kftune.tuning.freeze(task, freeze))

    first_step = kftune.training.FirstStepTime()
    callbacks = kftune.training.standard_callbacks(out, "val_accuracy", mode="max")
    position = kftune.training.DataPosition(train)
    fit_started = time.perf_counter()
    fitted = task.fit(
        train,
        epochs=epochs,
        validation_data=validation,
        shuffle=False,
        callbacks=[position, first_step, *callbacks],
    )
    fit_seconds = time.perf_counter() - fit_started
    task.load_weights(out / kftune.training.BEST_WEIGHTS)

    predictions = test.restore_order(task.predict(test)).argmax(axis=-1)
    scores = kftune.evaluation.score_classes(
        splits["test"]["label"], predictions, names
    )
    print(scores)
    baselines = kftune.evaluation.score_baselines(
        splits["train"]["text"],
        splits["train"]["label"],
        splits["test"]["text"],
        splits["test"]["label"],
    )
    print(f"Baselines: {baselines}")

    task.save_to_preset(out / "model")
    kftune.evaluation.plot_curves(
        kftune.training.read_history(out), out / "curves.png", title=f"{preset}, {data}"
    )
    kftune.evaluation.plot_confusion(scores.confusion, names, out / "confusion.png")
    kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        times={
            "first_step": first_step.seconds,
            "fit": fit_seconds,
            "all": time.perf_counter() - started,
        },
        examples_per_second=len(splits["train"]) * len(fitted.epoch) / fit_seconds,
        test={"accuracy": scores.accuracy, "macro_f1": scores.macro_f1},
        baselines=baselines,
    )
    print(f"Written to {out}: results.json, curves.png, confusion.png, model/")


if __name__ == "__main__":
    run_recipe(main)
