"""Fine-tune a pretrained text model with a new Dense head on labelled text.

    python recipes/classify_reviews.py
    python recipes/classify_reviews.py --preset minilm_l6 --epochs 2
    python recipes/classify_reviews.py --freeze backbone --cache runs/features
    python recipes/classify_reviews.py --freeze backbone --unfreeze all_but_last:2
    python recipes/classify_reviews.py --data tickets.csv --text question --label queue
    python recipes/classify_reviews.py --config recipes/configs/gpt2_base.yaml

With the defaults: GPT-2 (`gpt2_tiny_en`) on 12,800 sentences of film critics, about 5
minutes on 2 cores. What it reaches stands in docs/results.md. Under --out it writes
results.json, history.csv, curves.png, confusion.png, logs for TensorBoard and model/, a
preset folder. The same command goes on with a run that was stopped, and ends as if it
had not been; --overwrite makes a run anew. See docs/resuming.md.
"""

import math
import time
from pathlib import Path

import keras

import kftune
from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe


def main(
    *,
    preset: str = "gpt2_tiny_en",
    data: str = "rotten_tomatoes",
    text: str | None = None,
    label: str | None = None,
    group: str | None = None,
    test_data: str | None = None,
    encoding: str = "utf-8",
    delimiter: str = ",",
    examples: types.NonNegativeInt = 0,
    epoch_texts: types.PositiveInt = 1,
    freeze: str = "nothing",
    unfreeze: list[str] = [],  # noqa: B006
    cache: Path | None = None,
    epochs: types.PositiveInt = 3,
    batch_size: types.PositiveInt = 32,
    learning_rate: types.PositiveFloat = 5e-4,
    schedule: str = "linear",
    warmup_share: types.Share = 0.1,
    layer_decay: types.PositiveShare = 1.0,
    weight_decay: types.NonNegativeFloat = 0.01,
    dropout: types.DropoutRate = 0.1,
    hidden_dim: types.NonNegativeInt = 0,
    pretrained: bool = True,
    seed: types.Seed = 0,
    split_seed: types.Seed = 0,
    out: types.RunFolder = Path("runs/classify_reviews"),
):
    """Read, clean, split, build, freeze, compile, fit, evaluate, save.

    Args:
        preset: pretrained model: a name of `kftune presets`, a KerasHub name, or a
            folder.
        data: named corpus, or a file.
        text: column of the texts.
        label: column of the classes.
        group: column whose rows stay in one split.
        test_data: file like `data` to test on; nothing takes a tenth of `data`.
        encoding: of the files.
        delimiter: what stands between the fields of a csv.
        examples: labelled texts a class to train on, chosen by `seed`; 0 takes all.
        epoch_texts: texts an epoch has at least; fewer come several times in it.
        freeze: policy: "nothing", "backbone" (head only), "all_but_last:2", ...
        unfreeze: policies of the second epoch, the third, ...; the last one stays.
        cache: folder in which runs keep what the frozen part computes; nothing
            computes it in every epoch. Not with `unfreeze`.
        epochs: the most epochs; training stops after 2 without progress.
        batch_size: texts a step.
        learning_rate: peak of AdamW's.
        schedule: how the rate goes on from its peak: "linear" or "cosine" to 0,
            "constant", "inverse_square_root".
        warmup_share: share of the steps in which the rate rises to its peak.
        layer_decay: the rate is multiplied by it a block, from the head down; 0.9, say.
        weight_decay: of AdamW, not for biases and norms.
        dropout: share of the head's inputs that training drops.
        hidden_dim: width of a hidden layer in the head; 0 for none.
        pretrained: False starts from random weights, for comparison.
        seed: of weights, dropout and order.
        split_seed: of the split into train, validation and test.
        out: folder for all that is written.
    """
    settings = dict(locals())
    check(cache, unfreeze, epochs)
    started = time.perf_counter()
    kftune.training.use_compilation_cache()
    keras.utils.set_random_seed(seed)

    columns = {"text": text, "label": label, "group": group}
    columns |= {"encoding": encoding, "delimiter": delimiter}
    splits = kftune.data.read_splits(data, test_data, seed=split_seed, **columns)
    if examples:
        splits["train"] = kftune.data.few_a_class(splits["train"], examples, seed=seed)
    names = kftune.data.class_names(splits["train"])
    report = kftune.evaluation.report_splits(splits)
    print(report)

    head = {"label_names": names, "dropout": dropout, "hidden_dim": hidden_dim or None}
    task = kftune.models.TextClassifier.from_preset(
        preset, **head, load_weights=pretrained
    )
    for policy in [*unfreeze, freeze]:  # a wrong one ends the run now
        freezing = kftune.tuning.freeze(task, policy)
    print(freezing)
    kftune.training.open_run(out, settings)
    repeats = math.ceil(epoch_texts / len(splits["train"]))
    epoch = splits["train"].repeat(repeats)
    batches = kftune.training.split_batches(
        task, {**splits, "train": epoch}, batch_size=batch_size, seed=seed
    )
    print(batches["train"])
    steps = epochs * len(batches["train"])
    rates = {"schedule": schedule, "warmup": warmup_share}
    optimizer = kftune.training.adamw(task, learning_rate, steps, weight_decay, **rates)
    if layer_decay < 1:
        optimizer = kftune.tuning.layerwise_learning_rates(task, optimizer, layer_decay)
    task.compile(optimizer, jit_compile=kftune.training.choose_jit_compile())
    model, train, validation = task, batches["train"], batches["validation"]
    if cache is not None:
        features = kftune.tuning.FrozenFeatureCache(task, cache)
        model, train = features.model, features.batches(train)
        validation = features.batches(validation)
    stages = [kftune.tuning.GradualUnfreezing([freeze, *unfreeze])] if unfreeze else []
    history, seconds = kftune.training.fit_run(
        model, train, validation, out, epochs=epochs, callbacks=stages
    )
    if kftune.training.in_trial():  # recipes/search.py must not choose by test scores
        return

    if unfreeze:
        freezing = kftune.tuning.freeze(task, task.freeze_policy)
    overfitting = kftune.evaluation.describe_overfitting(history.history)
    print(overfitting)

    scores = evaluate(task, batches["test"], splits["test"]["label"])
    baselines = kftune.evaluation.score_baselines(splits["train"], splits["test"])
    print(f"{scores}\nBaselines: {baselines}")

    task.save_to_preset(out / "model")
    plot(out, scores, title=f"{preset}, {data}")
    kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        times={**seconds, "all": time.perf_counter() - started},
        examples_per_second=len(epoch) * len(history.epoch) / seconds["fit"],
        test={"accuracy": scores.accuracy, "macro_f1": scores.macro_f1},
        baselines=baselines,
        data=report.summary(),
        overfitting=overfitting,
        freezing=freezing,
    )
    kftune.training.close_run(out)
    print(f"Written to {out}: results.json, curves.png, confusion.png, model/")


def check(cache, unfreeze, epochs):
    """End the run now: options that exclude each other."""
    if cache is not None and unfreeze:
        raise ValueError(
            "Expected either --cache, which computes the frozen part once, or "
            f"--unfreeze. Received: --cache {cache} --unfreeze {' '.join(unfreeze)}"
        )
    if len(unfreeze) >= epochs:
        raise ValueError(
            f"Expected policies of --unfreeze for the second of {epochs} epochs and "
            f"later ones. Received: {' '.join(unfreeze)}"
        )


def evaluate(task, batches, labels):
    """Predict the class of each text and score it."""
    predictions = batches.restore_order(task.predict(batches)).argmax(axis=-1)
    return kftune.evaluation.score_classes(labels, predictions, task.label_names)


def plot(out, scores, title):
    """Draw learning curves and confusion matrix."""
    history = kftune.training.read_history(out)
    kftune.evaluation.plot_curves(
        history, out / "curves.png", title=title, monitor="val_accuracy", mode="max"
    )
    kftune.evaluation.plot_confusion(
        scores.confusion, scores.names, out / "confusion.png"
    )


if __name__ == "__main__":
    run_recipe(main)
