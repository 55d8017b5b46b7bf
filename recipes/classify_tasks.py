"""Fine-tune one pretrained text model for several tasks at once, a Dense head each.

    python recipes/classify_tasks.py --data.reviews rotten_tomatoes \
        --data.intents banking77.csv --label.intents category --compare
    python recipes/classify_tasks.py --data.reviews rotten_tomatoes \
        --data.queues tickets.csv --mix even --freeze all_but_last:2

Each --data.NAME is a task, NAME its head. --compare trains each task alone as well, by
the same settings, and the table tells what training together gained or cost. --out then
holds results.json with the table, and a folder for each training: results.json,
history.csv, curves.png, logs for TensorBoard, and under models/ a preset folder for
each task, which loads as any classifier does. The same command goes on with a run that
was stopped, and keeps those that ended; --overwrite makes all of them anew. See
docs/several_tasks.md.
"""

from pathlib import Path

import keras
import numpy as np

import kftune
from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe

TOGETHER = "together"


def main(
    *,
    data: dict[str, str],
    text: dict[str, str] = {},  # noqa: B006
    label: dict[str, str] = {},  # noqa: B006
    group: dict[str, str] = {},  # noqa: B006
    loss_weights: types.NonNegativeFloats = {},  # noqa: B006
    preset: str = "gpt2_tiny_en",
    mix: str = "size",
    freeze: str = "nothing",
    compare: bool = False,
    epochs: types.PositiveInt = 3,
    batch_size: types.PositiveInt = 32,
    learning_rate: types.PositiveFloat = 5e-4,
    weight_decay: types.NonNegativeFloat = 0.01,
    dropout: types.DropoutRate = 0.1,
    seed: types.Seed = 0,
    split_seed: types.Seed = 0,
    out: types.RunFolder = Path("runs/classify_tasks"),
):
    """Read and split each task; build, freeze, compile, fit, score, save; compare.

    Args:
        data: named corpus, or file, of each task.
        text: column of a task's texts.
        label: column of a task's classes.
        group: column of a task whose rows stay in one split.
        loss_weights: factors of the tasks' losses, 1 where none is given.
        preset: pretrained model: a name of `kftune presets`, a KerasHub name, or a
            folder.
        mix: "size": every row counts the same; "even": every task does.
        freeze: policy: "nothing", "backbone" (heads only), "all_but_last:2", ...
        compare: train each task alone, too.
        epochs: the most epochs; training stops after 2 without progress.
        batch_size: texts a step.
        learning_rate: peak of AdamW's.
        weight_decay: of AdamW, not for biases and norms.
        dropout: share of the heads' inputs that training drops.
        seed: of weights, dropout and order.
        split_seed: of the splits into train, validation and test.
        out: folder for all that is written.
    """
    settings = dict(locals())
    kftune.training.use_compilation_cache()
    columns = {"text": text, "label": label, "group": group}
    check(data, {**columns, "loss_weights": loss_weights})
    splits = {name: read_splits(data, columns, name, split_seed) for name in data}
    drop_held_out(splits)

    reports = {name: kftune.evaluation.report_splits(splits[name]) for name in data}
    for name, report in reports.items():
        print(f"{name}:\n{report}")
    kftune.training.open_runs(out, settings, may_differ=["compare"])
    options = {k: v for k, v in settings.items() if k not in ("compare", "out")}
    systems = {TOGETHER: list(data)}
    if compare:
        systems.update({f"{name}_alone": [name] for name in data})
    trained = {}
    for system, names in systems.items():
        run, folder = {**options, "system": system}, out / system
        trained[system] = kftune.training.read_finished(folder, run) or train(
            run, folder, {name: splits[name] for name in names}
        )

    scores = {name: compare_scores(trained, splits[name], name) for name in data}
    table = markdown(scores)
    print(table)
    kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        data={name: report.summary() for name, report in reports.items()},
        test=scores,
        table=table,
    )
    print(f"Written to {out}: results.json, {', '.join(trained)}")


def check(data, by_task):
    """End the run now: names that make no folder, options of tasks that are not there.

    Args:
        data: dict by task.
        by_task: dict of option to dict by task.
    """
    wrong = [f"--data.{name}" for name in data if not name.isidentifier()]
    for option, given in by_task.items():
        wrong += [f"--{option}.{name}" for name in given if name not in data]
    if wrong:
        raise SystemExit(
            "Expected names of letters, digits and _ in --data, and in other options "
            f"names that --data has. Received: {', '.join(wrong)}"
        )


def read_splits(data, columns, name, seed):
    """The parts of a task, by the columns that were given for it."""
    named = {column: given.get(name) for column, given in columns.items()}
    return kftune.data.read_splits(data[name], seed=seed, **named)


def drop_held_out(splits):
    """Drop from each task's training rows the texts that another holds out."""
    for name, parts in splits.items():
        for held_out in (splits[other] for other in splits if other != name):
            for part in ("validation", "test"):
                parts["train"] = kftune.data.drop_overlap(
                    parts["train"], held_out[part], group_by=None
                )


def train(options, folder, splits):
    """Build, freeze, fit; score and save each task."""
    keras.utils.set_random_seed(options["seed"])
    kftune.training.open_run(folder, options)
    task = build(options, splits)
    freezing = kftune.tuning.freeze(task, options["freeze"])
    print(freezing)
    seconds = fit(task, splits, folder, options)
    test = {}
    for name, parts in splits.items():
        single = kftune.models.single_task(task, name)
        test[name] = score(single, parts["test"])
        single.save_to_preset(folder / "models" / name)
    rows = {
        name: {"rows": {split: len(part) for split, part in parts.items()}}
        for name, parts in splits.items()
    }
    results = kftune.evaluation.write_results(
        folder / "results.json",
        settings=options,
        times=seconds,
        data=rows,
        freezing=freezing,
        test=test,
    )
    kftune.training.close_run(folder)
    return results


def build(options, splits):
    """Put a new head for each task on one pretrained backbone."""
    heads = {}
    for name, parts in splits.items():
        names = kftune.data.class_names(parts["train"])
        heads[name] = kftune.models.DenseHead(
            len(names), label_names=names, dropout=options["dropout"]
        )
    return kftune.models.attach_head(
        kftune.models.load_backbone(options["preset"]),
        heads,
        kftune.models.load_preprocessor(options["preset"]),
    )


def fit(task, splits, folder, options):
    """Mix the tasks, compile, train to the best mean accuracy; the seconds it took."""
    batches = kftune.training.task_batches(
        task,
        splits,
        mix=options["mix"],
        batch_size=options["batch_size"],
        seed=options["seed"],
    )
    print(batches["train"])
    steps = options["epochs"] * len(batches["train"])
    task.compile(
        kftune.training.adamw(
            task, options["learning_rate"], steps, options["weight_decay"]
        ),
        loss_weights={name: options["loss_weights"].get(name, 1.0) for name in splits},
        jit_compile=kftune.training.choose_jit_compile(),
    )
    history, seconds = kftune.training.fit_run(
        task,
        batches["train"],
        batches["validation"],
        folder,
        epochs=options["epochs"],
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=log_mean_accuracy)],
    )
    print(kftune.evaluation.describe_overfitting(history.history))
    kftune.evaluation.plot_curves(
        history.history, folder / "curves.png", monitor="val_accuracy", mode="max"
    )
    return seconds


def log_mean_accuracy(epoch, logs):
    """Log the mean of the tasks' accuracies, which chooses the best epoch."""
    accuracies = [
        value
        for name, value in logs.items()
        if name.startswith("val_") and name.endswith("_accuracy")
    ]
    logs["val_accuracy"] = float(np.mean(accuracies))


def score(single, rows):
    """Predict the class of each text of a task; accuracy and macro F1."""
    batches = kftune.training.split_batches(single, {"test": rows})["test"]
    predictions = batches.restore_order(single.predict(batches)).argmax(axis=-1)
    scores = kftune.evaluation.score_classes(
        rows["label"], predictions, single.label_names
    )
    print(scores)
    return {"accuracy": scores.accuracy, "macro_f1": scores.macro_f1}


def compare_scores(trained, splits, name):
    """The scores of a task by how it was trained, beside the baselines."""
    scores = kftune.evaluation.score_baselines(splits["train"], splits["test"])
    scores[TOGETHER] = trained[TOGETHER]["test"][name]
    if f"{name}_alone" in trained:
        scores["alone"] = trained[f"{name}_alone"]["test"][name]
    return scores


def markdown(scores):
    """A table of accuracies in percent, a line for each way of training."""
    lines = [
        f"| test accuracy | {' | '.join(scores)} |",
        "|---" * (1 + len(scores)) + "|",
    ]
    for way in next(iter(scores.values())):
        cells = [f"{100 * scores[name][way]['accuracy']:.1f}" for name in scores]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    run_recipe(main)
