"""Fine-tune a sentence encoder on labelled opinions: the teacher of a small GPT-2.

    python recipes/train_teacher.py --folder DATA --out runs/teacher

It learns criticism and praise from the labelled passages of the corpora that
recipes/pretrain_gpt2.py reads, and that recipe then asks it about all opinions. Writes
results.json and model/, a preset folder, under --out.
"""

from pathlib import Path
from typing import Annotated

import keras
import numpy as np

import kftune
from kftune.cli.option_types import (
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Seed,
    at_least,
)
from kftune.cli.recipe import run_recipe


def main(
    *,
    corpora: Path = Path("recipes/configs/gpt2_tiny_en.yaml"),
    folder: Path = Path("."),
    preset: str = "minilm_l6",
    examples: PositiveInt = 36000,
    least_words: NonNegativeInt = 4,
    max_tokens: PositiveInt = 1024,
    sequence_length: Annotated[int, at_least(3)] = 96,
    learning_rate: PositiveFloat = 6e-5,
    seed: Seed = 0,
    out: Path = Path("runs/teacher"),
):
    """Read, choose, build, fit, evaluate, save.

    Args:
        corpora: YAML list of corpora, see `kftune.data.PretrainingCorpus`.
        folder: where their files are.
        preset: the model to start from.
        examples: labelled passages to train on, in one epoch.
        least_words: shorter passages are left out: a document's label tells little
            about them.
        max_tokens: tokens a step, padding included.
        sequence_length: the most tokens of a passage.
        learning_rate: peak of AdamW's; rises over a tenth of the steps, falls to 0.
        seed: of the choice, the head and the order.
        out: folder for all that is written.
    """
    settings = dict(locals())
    kftune.training.use_compilation_cache()
    keras.utils.set_random_seed(seed)

    plans = kftune.data.load_corpora(corpora)
    passages = kftune.data.read_pretraining_corpora(plans, folder)
    passages = passages.filter(
        lambda row: (
            row["praise"] is not None and len(row["text"].split()) >= least_words
        )
    ).shuffle(seed)
    train = passages.filter(lambda row: not row["validation"])
    train = train.select(range(min(examples, len(train))))
    held_out = passages.filter(lambda row: row["validation"])

    task = kftune.models.TextClassifier.from_preset(
        preset, label_names=["criticism", "praise"], sequence_length=sequence_length
    )
    batches, validation = (
        kftune.data.LengthBucketed(
            task.preprocessor.tokenize_rows(part["text"]),
            np.array(part["praise"], "int32"),
            max_tokens=max_tokens,
            shuffle=part is train,
            seed=seed,
        )
        for part in (train, held_out)
    )
    print(batches)
    optimizer = kftune.training.adamw(task, learning_rate, len(batches))
    task.compile(optimizer, jit_compile=kftune.training.choose_jit_compile())
    task.fit(batches, shuffle=False, callbacks=[kftune.training.FirstStepTime()])

    logits = validation.restore_order(task.predict(validation))
    right = logits.argmax(axis=-1) == np.array(held_out["praise"], "int32")
    names = np.array(held_out["corpus"])
    accuracy = {name: right[names == name].mean() for name in sorted(set(names))}
    print(f"Accuracy on held-out passages: {accuracy}")
    task.save_to_preset(out / "model")
    kftune.evaluation.write_results(
        out / "results.json", settings=settings, validation={"accuracy": accuracy}
    )


if __name__ == "__main__":
    run_recipe(main)
