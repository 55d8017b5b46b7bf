r"""What does a language model know of a task before it is tuned?

    python benchmarks/prompting.py --out runs/prompting
    python benchmarks/prompting.py --data banking77/train.csv.xz --label category \
        --templates "{text} This is about" "{text} Topic:" --validation-rows 1 \
        --shots 0 --test-rows 300 --out runs/prompting_intents

Classifies texts by prompts, without examples and with a few, calibrated (Zhao et al.
2021) and not. For each number of examples the template is chosen on the validation
split, and scored on the test split. Under --out it writes results.json.
"""

import functools
from pathlib import Path

import numpy as np

import kftune
from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe

# For film reviews; the answers are for fresh and rotten.
REVIEWS = {
    "{text} All in all, the film is": [" good", " bad"],
    "{text}\nVerdict:": [" great", " terrible"],
    "{text} It was": [" great", " bad"],
}


def main(
    *,
    preset: str = "gpt2_tiny_en",
    data: str = "rotten_tomatoes",
    text: str | None = None,
    label: str | None = None,
    templates: list[str] = [],  # noqa: B006
    shots: list[int] = [0, 4],  # noqa: B006
    validation_rows: types.PositiveInt = 300,
    test_rows: types.NonNegativeInt = 0,
    seed: types.Seed = 0,
    split_seed: types.Seed = 0,
    out: Path = Path("runs/prompting"),
):
    """Read, clean, split, choose a template on validation rows, score on the test rows.

    Args:
        preset: pretrained GPT-2: a name of `kftune presets`, or a folder.
        data: named corpus or file.
        text: column of the texts.
        label: column of the classes.
        templates: of prompts, with {text}, that the names of the classes answer, their
            probability by token; nothing takes those for film reviews.
        shots: examples a class that stand in the prompt.
        validation_rows: rows a class that choose the template.
        test_rows: test rows at most, drawn by split_seed; 0 takes all.
        seed: chooses examples and validation rows.
        split_seed: of the split into train, validation and test.
        out: folder for results.json.
    """
    settings = dict(locals())
    splits = kftune.data.read_splits(data, text=text, label=label, seed=split_seed)
    if test_rows:
        number = min(test_rows, len(splits["test"]))
        splits["test"] = splits["test"].shuffle(seed=split_seed).select(range(number))
    names = kftune.data.class_names(splits["train"])
    answers = [f" {name.replace('_', ' ')}" for name in names]
    if not templates and names != ["fresh", "rotten"]:
        raise ValueError(
            "Expected templates for these classes; those for film reviews are answered "
            f"for fresh and rotten. Received: {names}"
        )
    prompts = dict.fromkeys(templates, answers) or REVIEWS
    chosen = kftune.data.few_a_class(splits["validation"], validation_rows, seed=seed)
    task = kftune.models.GPT2CausalLM.from_preset(preset)
    score = functools.partial(accuracy, task, per_token=bool(templates))
    found = {}
    for count in shots:
        examples = shown(splits["train"], count, seed)
        validation = {
            template: score((template, prompts[template]), examples, chosen)
            for template in prompts
        }
        best = max(validation, key=validation.get)
        prompt = (best, prompts[best])
        found[f"{count} examples a class"] = {
            "template": best,
            "validation": validation,
            "test": {
                "calibrated": score(prompt, examples, splits["test"]),
                "not calibrated": score(
                    prompt, examples, splits["test"], content_free=()
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


def accuracy(task, prompt, examples, rows, **options):
    """The share of rows that a template with its answers classifies rightly."""
    classifier = kftune.evaluation.PromptedClassifier(
        task, *prompt, examples, **options
    )
    classes = classifier.predict(rows["text"]).argmax(axis=-1)
    return float((classes == np.array(rows["label"])).mean())


if __name__ == "__main__":
    run_recipe(main)
