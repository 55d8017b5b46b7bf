"""Fine-tune a language model to write reviews of the kind that it is told to.

    python recipes/generate_reviews.py
    python recipes/generate_reviews.py --pretrained false --out runs/from_scratch
    python recipes/generate_reviews.py --classifier runs/classify_reviews/model
    python recipes/generate_reviews.py --data tickets.csv --text body --label queue \
        --prompt "A question about {label}:"

With the defaults: GPT-2 (`gpt2_tiny_en`) on 12,800 sentences of film critics, behind
"fresh review:" or "rotten review:". What it reaches stands in docs/film_reviews.md.
Under --out it writes results.json, samples.tsv, history.csv, curves.png, confusion.png,
logs for TensorBoard and model/, a preset folder. The same command goes on with a run
that was stopped; --overwrite makes a run anew. See docs/resuming.md.
"""

import functools
import time
from pathlib import Path

import keras
import numpy as np

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
    prompt: str = "{label} review:",
    freeze: str = "nothing",
    epochs: types.PositiveInt = 3,
    batch_size: types.PositiveInt = 32,
    learning_rate: types.PositiveFloat = 1e-3,
    weight_decay: types.NonNegativeFloat = 0.01,
    pretrained: bool = True,
    samples: types.PositiveInt = 100,
    temperature: types.NonNegativeFloat = 0.7,
    top_p: types.PositiveShare = 0.9,
    max_new_tokens: types.PositiveInt = 64,
    classifier: Path | None = None,
    seed: types.Seed = 0,
    split_seed: types.Seed = 0,
    out: types.RunFolder = Path("runs/generate_reviews"),
):
    """Read, clean, split, build, freeze, compile, fit, generate, judge, save.

    Args:
        preset: pretrained GPT-2: a name of `kftune presets`, a KerasHub name, or a
            folder.
        data: named corpus, or a file.
        text: column of the texts.
        label: column of the classes.
        group: column whose rows stay in one split.
        prompt: what stands before a text of the class {label}.
        freeze: policy: "nothing", "all_but_last:2", ...
        epochs: the most epochs; training stops after 2 without progress.
        batch_size: texts a step.
        learning_rate: peak of AdamW's, after a tenth of the steps; then it falls to 0.
        weight_decay: of AdamW, not for biases and norms.
        pretrained: False starts from random weights, for comparison.
        samples: texts a class to generate; each stands beside a text of the test split.
        temperature: of the sampler.
        top_p: share of the probability from which the sampler draws.
        max_new_tokens: tokens of a generated text at most.
        classifier: folder of a classifier's model that judges of which class a
            generated text is; nothing trains naive Bayes.
        seed: of weights, dropout, order and samples.
        split_seed: of the split into train, validation and test.
        out: folder for all that is written.
    """
    settings = dict(locals())
    started = time.perf_counter()
    kftune.training.use_compilation_cache()
    keras.utils.set_random_seed(seed)

    columns = {"text": text, "label": label, "group": group}
    splits = read_splits(data, columns, prompt, split_seed)
    train, test = splits["train"], splits["test"]
    names = kftune.data.class_names(train)
    prompts = kftune.data.label_prompts(names, prompt)
    report = kftune.evaluation.report_splits(splits)
    print(report)
    judge = kftune.evaluation.text_judge(train, classifier)
    may_differ = ["samples", "temperature", "top_p", "max_new_tokens", "classifier"]

    task = kftune.models.GPT2CausalLM.from_preset(preset, load_weights=pretrained)
    freezing = kftune.tuning.freeze(task, freeze)
    print(freezing)
    kftune.decoding.check_prompts(task, prompts, max_new_tokens=max_new_tokens)  # now
    kftune.training.open_run(out, settings, may_differ)
    batches = kftune.training.text_batches(
        task, splits, text="prompt", answer="answer", batch_size=batch_size, seed=seed
    )
    print(batches["train"])
    steps = epochs * len(batches["train"])
    sampling = {"temperature": temperature, "top_p": top_p, "seed": seed}
    task.compile(
        kftune.training.adamw(task, learning_rate, steps, weight_decay),
        sampler=kftune.decoding.Sampling(**sampling),
        jit_compile=kftune.training.choose_jit_compile(),
    )
    before = perplexities(task, test)
    print(f"Perplexity of the test texts before training: {before}")
    generate = functools.partial(
        kftune.decoding.generate_texts, max_new_tokens=max_new_tokens
    )
    history, seconds = kftune.training.fit_run(
        task,
        batches["train"],
        batches["validation"],
        out,
        epochs=epochs,
        monitor="val_loss",
        mode="min",
        callbacks=[kftune.training.SampleCallback(generate, prompts)],
    )
    if kftune.training.in_trial():  # recipes/search.py must not choose by test scores
        return
    overfitting = kftune.evaluation.describe_overfitting(history.history)
    print(overfitting)

    after = perplexities(task, test)
    print(f"Perplexity of the test texts after training: {after}")
    reader = kftune.evaluation.GenerativeClassifier(
        task, prompts, shares=np.bincount(train["label"], minlength=len(names))
    )
    classes = reader.predict(test["answer"]).argmax(axis=-1)
    scores = kftune.evaluation.score_classes(test["label"], classes, names)
    baselines = kftune.evaluation.score_baselines(train, test)
    print(f"The model as a classifier:\n{scores}\nBaselines: {baselines}")

    # What a new sampler draws does not depend on where a run was stopped.
    task.compile(sampler=kftune.decoding.Sampling(**sampling))
    real = kftune.data.few_a_class(test, samples, seed=seed)
    texts = generate(task, real["prompt"])
    judged = kftune.evaluation.judge_texts(texts, real, judge, train=train, test=test)
    print(f"Generated texts: {judged}")
    kftune.evaluation.write_outputs(
        out / "samples.tsv",
        source=real["prompt"],
        target=real["text"],
        generated=[each.strip() for each in texts],
        judged=[names[i] for i in judged.classes],
    )

    task.save_to_preset(out / "model")
    plot(out, judged.scores, title=f"{preset}, {data}")
    kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        times={**seconds, "all": time.perf_counter() - started},
        perplexity={"before": before, "after": after},
        generated=judged.summary(),
        test={"accuracy": scores.accuracy, "macro_f1": scores.macro_f1},
        baselines=baselines,
        data=report.summary(),
        overfitting=overfitting,
        freezing=freezing,
    )
    kftune.training.close_run(out)
    print(f"Written to {out}: results.json, samples.tsv, curves.png, model/")


def read_splits(data, columns, prompt, seed):
    """Read, clean, number the classes, split, and put prompts before texts."""
    splits = kftune.data.read_splits(data, seed=seed, **columns)
    return {n: kftune.data.prompted_by_label(r, prompt) for n, r in splits.items()}


def perplexities(task, rows):
    """Of the same tokens, those of the texts: alone, and behind their prompts."""
    prompts = {"plain": [""] * len(rows), "prompted": rows["prompt"]}
    return {
        name: kftune.evaluation.score_answers(task, before, rows["answer"]).perplexity
        for name, before in prompts.items()
    }


def plot(out, scores, title):
    """Draw learning curves, and asked classes by those that the judge saw."""
    history = kftune.training.read_history(out)
    kftune.evaluation.plot_curves(history, out / "curves.png", title=title)
    kftune.evaluation.plot_confusion(
        scores.confusion,
        scores.names,
        out / "confusion.png",
        title="Asked for (true), and judged (predicted)",
    )


if __name__ == "__main__":
    run_recipe(main)
