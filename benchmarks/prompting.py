"""What does a language model know of film reviews before it is tuned?

    python benchmarks/prompting.py --out runs/prompting

Classifies Rotten Tomatoes by prompts, without examples and with a few, calibrated (Zhao
et al. 2021) and not. For each number of examples the template is chosen on the
validation split, and scored on the test split. Under --out it writes results.json.
"""

from pathlib import Path

import numpy as np

import kftune
from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe

# The answers are for fresh and rotten.
TEMPLATES = {
    "{text} All in all, the film is": [" good", " bad"],
    "{text}\nVerdict:": [" great", " terrible"],
    "{text} It was": [" great", " bad"],
}


def main(
    *,
    preset: str = "gpt2_tiny_en",
    data: str = "rotten_tomatoes",
    shots: list[int] = [0, 4],  # noqa: B006
    validation_rows: types.PositiveInt = 300,
    seed: types.Seed = 0,
    split_seed: types.Seed = 0,
    out: Path = Path("runs/prompting"),
):
    """Read, clean, split, choose a template on validation rows, score on the test rows.

    Args:
        preset: pretrained GPT-2: a name of `kftune presets`, or a folder.
        data: named corpus or file with the labels fresh and rotten.
        shots: examples a class that stand in the prompt.
        validation_rows: rows a class that choose the template.
        seed: chooses examples and validation rows.
        split_seed: of the split into train, validation and test.
        out: folder for results.json.
    """
    settings = dict(locals())
    rows, _ = kftune.data.clean(kftune.data.read(data))
    rows = kftune.data.encode_labels(rows)
    splits = kftune.data.split(rows, validation=0.1, test=0.1, seed=split_seed)
    chosen = kftune.data.few_a_class(splits["validation"], validation_rows, seed=seed)
    task = kftune.models.GPT2CausalLM.from_preset(preset)
    found = {}
    for count in shots:
        examples = shown(splits["train"], count, seed)
        validation = {
            template: accuracy(task, template, examples, chosen)
            for template in TEMPLATES
        }
        best = max(validation, key=validation.get)
        found[f"{count} examples a class"] = {
            "template": best,
            "validation": validation,
            "test": {
                "calibrated": accuracy(task, best, examples, splits["test"]),
                "not calibrated": accuracy(
                    task, best, examples, splits["test"], content_free=()
                ),
            },
        }
        print(f"{count} examples a class: {found[f'{count} examples a class']}")
    baselines = kftune.evaluation.score_baselines(splits["train"], splits["test"])
    print(f"Baselines: {baselines}")
    kftune.evaluation.write_results(
        out / "results.json", settings=settings, prompting=found, baselines=baselines
    )


def shown(train, count, seed):
    """Texts and classes of so many rows of each class."""
    if not count:
        return []
    rows = kftune.data.few_a_class(train, count, seed=seed)
    return list(zip(rows["text"], rows["label"], strict=True))


def accuracy(task, template, examples, rows, **options):
    """The share of rows that a prompt classifies rightly."""
    classifier = kftune.evaluation.PromptedClassifier(
        task, template, TEMPLATES[template], examples, **options
    )
    classes = classifier.predict(rows["text"]).argmax(axis=-1)
    return float((classes == np.array(rows["label"])).mean())


if __name__ == "__main__":
    run_recipe(main)
