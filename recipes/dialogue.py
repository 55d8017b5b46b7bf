"""Fine-tune GPT-2 to answer in dialogues, score its answers, and talk to it.

    python recipes/dialogue.py --data sgd/train.jsonl.xz --test-data sgd/dev.jsonl.xz
    python recipes/dialogue.py --chat

With the defaults eight minutes on 2 cores; docs/dialogue.md tells what comes out. Under
--out the run writes results.json, history.csv, curves.png, answers.tsv and model/, a
preset folder. The same command goes on with a run that was stopped; --overwrite makes
it anew. With --chat, the model of a finished run answers lines of the standard input,
as `kftune chat --model runs/dialogue/model` does.
"""

import time
from pathlib import Path
from typing import Annotated

import datasets
import keras

import kftune
from kftune.cli import option_types as types
from kftune.cli.chat import chat_with
from kftune.cli.recipe import run_recipe


def main(
    *,
    data: str | None = None,
    test_data: str | None = None,
    preset: str = "gpt2_tiny_en",
    dialogues: types.PositiveInt = 1000,
    test_answers: types.PositiveInt = 1000,
    generated: types.PositiveInt = 200,
    max_length: Annotated[int, types.at_least(8)] = 128,
    answer_tokens: types.PositiveInt = 48,
    freeze: str = "nothing",
    epochs: types.PositiveInt = 2,
    max_tokens: types.PositiveInt = 2048,
    learning_rate: types.PositiveFloat = 2e-3,
    num_beams: types.PositiveInt = 1,
    seed: types.Seed = 0,
    split_seed: types.Seed = 0,
    chat: bool = False,
    out: types.RunFolder = Path("runs/dialogue"),
):
    """Read, split, write as prompts and answers, freeze, fit, score, answer, save.

    Args:
        data: dialogues, a row each: `turns`, pairs of "U" or "S" and a text, or dicts
            of role and content.
        test_data: dialogues to test on, which no setting is chosen by.
        preset: GPT-2: a name of `kftune presets`, a KerasHub name, or a folder.
        dialogues: of `data` at most; a tenth of them is for validation.
        test_answers: answers of `test_data` at most that give the perplexity.
        generated: of these, answers at most that are generated and compared.
        max_length: tokens of a history and its answer; the oldest turns go.
        answer_tokens: tokens of a generated answer at most.
        freeze: policy: "nothing", "all_but_last:2", "lora:rank=8", ...
        epochs: the most epochs; training stops after 2 without progress.
        max_tokens: tokens a step, padding included.
        learning_rate: peak of AdamW's.
        num_beams: of the search for an answer; 1 is greedy.
        seed: of dropout and order.
        split_seed: of the choice of dialogues and of test answers.
        chat: True trains nothing: the model in `out` answers what stands on the
            standard input, up to a blank line.
        out: folder for all that is written.
    """
    if chat:
        return talk(out, answer_tokens)
    if answer_tokens > max_length - 2:
        raise ValueError(
            f"Expected answer_tokens of at most max_length - 2, {max_length - 2}, to "
            f"leave room for a prompt. Received: {answer_tokens}"
        )
    settings = dict(locals())
    started = time.perf_counter()
    kftune.training.use_compilation_cache()
    keras.utils.set_random_seed(seed)
    splits = read_splits(data, test_data, dialogues, split_seed)
    task = kftune.models.GPT2CausalLM.from_preset(preset, sequence_length=max_length)
    freezing = kftune.tuning.freeze(task, freeze)
    print(freezing)
    pairs = make_pairs(task, splits, answer_tokens)
    test = pairs["test"].shuffle(seed=split_seed)
    pairs["test"] = test.select(range(min(test_answers, len(test))))
    # A blank answer ends the run now and not after the training.
    kftune.evaluation.check_references(pairs["test"]["answer"][:generated])
    kftune.training.open_run(out, settings)

    batches = kftune.training.text_batches(
        task, pairs, text="prompt", answer="answer", max_tokens=max_tokens, seed=seed
    )
    print(batches["train"])
    before = kftune.evaluation.perplexity(task, batches["test"])
    asked = {name: rows[:generated] for name, rows in pairs["test"].to_dict().items()}
    task.compile(sampler=kftune.decoding.BeamSearch(num_beams))
    untrained = answer(task, asked["prompt"], answer_tokens)
    steps = epochs * len(batches["train"])
    optimizer = kftune.training.adamw(task, learning_rate, steps)
    task.compile(optimizer, jit_compile=kftune.training.choose_jit_compile())
    history, seconds = kftune.training.fit_run(
        task,
        batches["train"],
        batches["validation"],
        out,
        epochs=epochs,
        monitor="val_loss",
        mode="min",
    )
    if kftune.training.in_trial():  # recipes/search.py must not choose by test scores
        return
    overfitting = kftune.evaluation.describe_overfitting(history.history)
    print(overfitting)
    kftune.evaluation.plot_curves(history.history, out / "curves.png", title="Answers")
    after = kftune.evaluation.perplexity(task, batches["test"])
    task.save_to_preset(out / "model")
    task.compile(sampler=kftune.decoding.BeamSearch(num_beams))
    texts = {
        "model": answer(task, asked["prompt"], answer_tokens),
        "untrained": untrained,
        "nearest": kftune.evaluation.translation_memory(
            pairs["train"]["prompt"], pairs["train"]["answer"], asked["prompt"]
        ),
    }
    scores = score_answers(texts, asked, out / "answers.tsv")
    results = kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        times={**seconds, "all": time.perf_counter() - started},
        test={"perplexity": {"before": before, "after": after}, **scores},
        rows={name: len(rows) for name, rows in pairs.items()},
        overfitting=overfitting,
        freezing=freezing,
    )
    kftune.training.close_run(out)
    print(results["test"])
    print(f"Written to {out}: results.json, curves.png, answers.tsv, model/")


def read_splits(data, test_data, dialogues, seed):
    """Read dialogues; none stands in two parts."""
    if data is None or test_data is None:
        raise ValueError(
            "Expected --data and --test-data, files of dialogues. "
            f"Received: {data} and {test_data}"
        )
    rows, test = kftune.data.read_chats(data), kftune.data.read_chats(test_data)
    rows = kftune.data.drop_overlap(rows, test).shuffle(seed=seed)
    print(f"{min(dialogues, len(rows))} of {len(rows)} dialogues")
    rows = rows.select(range(min(dialogues, len(rows))))
    return {**kftune.data.split(rows, validation=0.1, test=0, seed=seed), "test": test}


def make_pairs(task, splits, answer_tokens):
    """Make a prompt of what was said before each answer.

    How long a test prompt is must not tell how long its answer will be.
    """
    preprocessor = task.preprocessor
    return {
        name: datasets.Dataset.from_dict(
            kftune.data.chat_pairs(
                rows["turns"],
                every_answer=True,
                max_length=preprocessor.sequence_length - 1,
                length=preprocessor.count_tokens,
                answer_length=answer_tokens if name == "test" else None,
            )
        )
        for name, rows in splits.items()
    }


def answer(task, prompts, answer_tokens):
    """Answer prompts; of those that are too long, by what was said last."""
    return kftune.decoding.generate_texts(
        task, prompts, max_new_tokens=answer_tokens, long_prompts="window"
    )


def score_answers(texts, test, path):
    """Score the answers of each system, and write them side by side."""
    references = [text.strip() for text in test["answer"]]
    texts = {name: [text.strip() for text in made] for name, made in texts.items()}
    kftune.evaluation.write_outputs(
        path, source=test["prompt"], target=references, **texts
    )
    bleu = {
        name: kftune.evaluation.score_translations(made, references, "bleu")
        for name, made in texts.items()
    }
    return {
        "bleu": {name: score.corpus["bleu"] for name, score in bleu.items()},
        "signature": bleu["model"].signatures["bleu"],
        "distinct": {
            name: [kftune.evaluation.distinct_ngrams(made, size) for size in (1, 2)]
            for name, made in {**texts, "reference": references}.items()
        },
        "answers": len(references),
    }


def talk(out, answer_tokens):
    """Answer what a person writes, by the model of a run that has ended."""
    if not (out / "results.json").exists():
        raise FileNotFoundError(
            f"Expected the model of a run that has ended. Received: {out}, without "
            "results.json. Train it: python recipes/dialogue.py --data FILE "
            f"--test-data FILE --out {out}"
        )
    chat_with(out / "model", answer_tokens=answer_tokens)


if __name__ == "__main__":
    run_recipe(main)
