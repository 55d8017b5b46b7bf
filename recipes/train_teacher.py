"""Fine-tune a sentence encoder on labelled opinions: the teacher of a small GPT-2.

    python recipes/train_teacher.py --folder DATA --out runs/teacher

It learns criticism and praise from the labelled passages of the corpora that
recipes/pretrain_gpt2.py reads, and that recipe then asks it about all opinions. Writes
results.json, history.csv and model/, a preset folder, under --out. The same command
goes on with a run that was stopped; --overwrite makes a run anew.
"""

from pathlib import Path
from typing import Annotated

import keras
import numpy as np
from datasets import Value

import kftune
from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe


def main(
    *,
    corpora: Path = Path("recipes/configs/gpt2_tiny_en.yaml"),
    folder: Path = Path("."),
    preset: str = "minilm_l6",
    examples: types.PositiveInt = 36000,
    least_words: types.NonNegativeInt = 4,
    max_tokens: types.PositiveInt = 1024,
    sequence_length: Annotated[int, types.at_least(3)] = 96,
    save_steps: types.PositiveInt = 200,
    learning_rate: types.PositiveFloat = 6e-5,
    seed: types.Seed = 0,
    out: types.RunFolder = Path("runs/teacher"),
):
    """Read, choose, build, compile, fit, evaluate, save.

    Args:
        corpora: YAML list of corpora, see `kftune.data.PretrainingCorpus`.
        folder: where their files are.
        preset: the model to start from.
        examples: labelled passages to train on, in one epoch.
        least_words: shorter passages are left out: a document's label tells little
            about them.
        max_tokens: tokens a step, padding included.
        sequence_length: the most tokens of a passage.
        save_steps: steps from one checkpoint to the next.
        learning_rate: peak of AdamW's; rises over a tenth of the steps, falls to 0.
        seed: of the choice, the head and the order.
        out: folder for all that is written.
    """
    settings = dict(locals())
    kftune.training.use_compilation_cache()
    keras.utils.set_random_seed(seed)

    plans = kftune.data.load_corpora(corpora)
    passages = kftune.data.read_pretraining_corpora(plans, folder)
    splits = choose(passages.shuffle(seed), examples, least_words)
    kftune.training.open_run(out, settings, may_differ=["save_steps"])

    task = kftune.models.TextClassifier.from_preset(
        preset, label_names=["criticism", "praise"], sequence_length=sequence_length
    )
    batches = kftune.training.split_batches(
        task, splits, label="praise", max_tokens=max_tokens, seed=seed
    )
    print(batches["train"])
    optimizer = kftune.training.adamw(task, learning_rate, len(batches["train"]))
    task.compile(optimizer, jit_compile=kftune.training.choose_jit_compile())
    kftune.training.fit_run(
        task,
        batches["train"],
        batches["validation"],
        out,
        epochs=1,
        save_freq=save_steps,
    )

    accuracy = evaluate(task, batches["validation"], splits["validation"])
    print(f"Accuracy on held-out passages: {accuracy}")
    task.save_to_preset(out / "model")
    kftune.evaluation.write_results(
        out / "results.json", settings=settings, validation={"accuracy": accuracy}
    )
    kftune.training.close_run(out)


def choose(passages, examples, least_words):
    """Take labelled passages: some to train on, and all that are held out."""
    passages = passages.filter(
        lambda row: (
            row["praise"] is not None and len(row["text"].split()) >= least_words
        )
    ).cast_column("praise", Value("int32"))
    train = passages.filter(lambda row: not row["validation"])
    return {
        "train": train.select(range(min(examples, len(train)))),
        "validation": passages.filter(lambda row: row["validation"]),
    }


def evaluate(task, batches, rows):
    """Share of the passages of each corpus whose label is predicted, 0 to 1."""
    predictions = batches.restore_order(task.predict(batches)).argmax(axis=-1)
    right = predictions == np.array(rows["praise"])
    names = np.array(rows["corpus"])
    return {name: right[names == name].mean() for name in sorted(set(names))}


if __name__ == "__main__":
    run_recipe(main)
