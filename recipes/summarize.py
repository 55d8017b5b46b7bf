"""Fine-tune a pretrained model to write short summaries, and score them.

    python recipes/summarize.py --data scitldr/train.jsonl.xz \
        --test-data scitldr/dev.jsonl.xz --out runs/summaries
    python recipes/summarize.py --data ... --test-data ... --interests true
    python recipes/summarize.py --data ... --test-data ... --target-language en \
        --preset transformer_tiny_en_de --learning-rate 2e-3 --epochs 8

GPT-2 goes on with the text and "TL;DR:", an encoder-decoder reads the text and writes.
Files have the columns source, a text, and target, its summary or a list of them. --out
then holds results.json with scores of the model, of the preset as it was and of floors,
summaries.tsv, interests.tsv, history.csv, curves.png, logs for TensorBoard and model/,
a preset folder. The same command goes on with a run that was stopped; --overwrite
makes a run anew. See docs/summaries.md.
"""

import functools
import time
from pathlib import Path
from typing import Annotated, Literal

import datasets
import keras

import kftune
from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe

ENDING = "\nTL;DR:"


def main(
    *,
    data: str,
    test_data: str,
    preset: str = "gpt2_tiny_en",
    target_language: str | None = None,
    interests: bool = False,
    max_length: Annotated[int, types.at_least(16)] = 256,
    max_summary_tokens: types.PositiveInt = 48,
    keep: Literal["first", "last", "ends"] = "first",
    learning_rate: types.PositiveFloat = 5e-4,
    max_tokens: types.PositiveInt = 4096,
    epochs: types.PositiveInt = 3,
    num_beams: types.PositiveInt = 4,
    no_repeat_ngram_size: types.NonNegativeInt | None = None,
    seed: types.Seed = 0,
    split_seed: types.Seed = 0,
    out: types.RunFolder = Path("runs/summarize"),
):
    """Read, clean, split, write prompts, build, compile, fit, summarise, score, save.

    Args:
        data: texts and summaries to train on; a tenth is held out to choose the epoch.
        test_data: texts and summaries that are scored once, at the end.
        preset: pretrained model, a GPT-2 or an encoder-decoder: a name or a folder.
        target_language: in which the summary is, for a model that is told.
        interests: True puts a reader's words before half of the training texts, and
            scores what they change.
        max_length: tokens of a text at most, of GPT-2 with prompt and summary.
        max_summary_tokens: tokens of a summary at most.
        keep: which sentences are kept of a text that is too long.
        learning_rate: peak of AdamW's.
        max_tokens: tokens a step, padding included.
        epochs: the most epochs; training stops after 2 without a lower loss.
        num_beams: of the search that writes summaries.
        no_repeat_ngram_size: so many tokens in a row come once only; 0 allows all. By
            default 3 with an encoder-decoder; 0 with GPT-2, where it would keep the
            summary from repeating what the text says.
        seed: of dropout, order, and the choice of interests.
        split_seed: of the split into train and validation.
        out: folder for all that is written.
    """
    settings = dict(locals())
    started = time.perf_counter()
    kftune.training.use_compilation_cache()
    keras.utils.set_random_seed(seed)

    splits, test = read_splits(settings)
    task = load(settings)
    kftune.training.open_run(out, settings)
    batches = make_batches(task, splits, settings)
    print(batches["train"])
    task.compile(
        kftune.training.adamw(task, learning_rate, epochs * len(batches["train"])),
        loss=kftune.layers.SmoothedCrossentropy(0.1),
        jit_compile=kftune.training.choose_jit_compile(),
    )
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
    print(kftune.evaluation.describe_overfitting(history.history))
    kftune.evaluation.plot_curves(history.history, out / "curves.png")
    task.save_to_preset(out / "model")

    systems = {
        "model": summarize(task, test["source"], settings),
        "untrained": summarize(load(settings), test["source"], settings),
        **kftune.evaluation.summary_floors(splits["train"], test),
    }
    scores = kftune.evaluation.evaluate_summaries(systems, test, out / "summaries.tsv")
    told = None
    if interests:
        readers = find_readers(test, seed)
        plain = [systems["model"][row] for row in readers["row"]]
        personal = summarize(task, readers["source"], settings, readers["interests"])
        told = kftune.evaluation.score_interests(
            plain, personal, readers, out / "interests.tsv"
        )
        print(told)
    kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        rows={name: len(rows) for name, rows in {**splits, "test": test}.items()},
        times={**seconds, "all": time.perf_counter() - started},
        test=scores.pop("model"),
        floors=scores,
        interests=told,
    )
    kftune.training.close_run(out)
    print(f"Written to {out}: results.json, summaries.tsv, curves.png, model/")


def read_splits(options):
    """Read, a row a summary to train on, clean, split; no text stands in two parts."""
    rows, test = (kftune.data.read(options[name]) for name in ("data", "test_data"))
    # What cannot be scored ends the run now and not hours later.
    kftune.evaluation.check_summaries(test["target"], test["source"])
    if options["interests"] and not len(find_readers(test, options["seed"])):
        raise ValueError(
            "Expected a summary in test_data that shares an English word of four "
            "letters or more with its text, to score interests. Received none: leave "
            "interests out, or give other test_data."
        )
    share = 0.5 if options["interests"] else 0.0
    rows = kftune.data.summary_rows(rows, share=share, seed=options["seed"])
    limits = dict.fromkeys(("max_words", "max_chars", "max_ratio"))
    rows, _ = kftune.data.clean_pairs(rows, **limits)
    rows = kftune.data.drop_overlap(rows, test, columns=["source"])
    return kftune.data.split(rows, test=0, seed=options["split_seed"]), test


def find_readers(test, seed):
    """The test summaries whose readers have interests."""
    readers = kftune.data.summary_rows(test, share=1.0, seed=seed)
    return readers.filter(lambda row: bool(row["interests"]))


def load(options):
    """Load the preset; texts may have as many tokens as was asked for."""
    task, length = kftune.models.load_task(options["preset"]), options["max_length"]
    if is_seq2seq(task):
        if (most := options["max_summary_tokens"]) > length:
            raise ValueError(
                f"Expected max_summary_tokens of at most max_length, {length}. "
                f"Received: {most}"
            )
        return kftune.models.with_positions(task, length)
    task.preprocessor.sequence_length = min(length, task.backbone.max_positions)
    return task


def is_seq2seq(task):
    """Whether a task reads a text and writes another, and does not go on with it."""
    return isinstance(task, kftune.models.TransformerSeq2SeqLM)


def make_prompts(task, sources, options, interests=None):
    """Write what the model reads, and is to go on with if it is a GPT-2."""
    preprocessor = task.preprocessor
    if is_seq2seq(task):
        ending = ""
        most = preprocessor.encoder_sequence_length - 2  # one tells the language
        rows = functools.partial(preprocessor.tokenize_rows, side="source")
    else:
        ending = ENDING
        most = preprocessor.sequence_length - options["max_summary_tokens"]
        rows = preprocessor.prompt_rows
    return kftune.data.summary_prompts(
        sources,
        most,
        lambda text: len(rows([text])[0]),
        interests=interests,
        ending=ending,
        keep=options["keep"],
    )


def make_batches(task, splits, options):
    """Batch prompts and summaries by length."""
    sizes = {name: options[name] for name in ("max_tokens", "seed")}
    batched = {}
    for name, rows in splits.items():
        prompts = make_prompts(task, rows["source"], options, rows["interests"])
        targets = rows["target"]
        if not is_seq2seq(task):  # a line of its own, where `summarize` stops
            targets = [f" {' '.join(text.split())}" for text in targets]
        columns = {"source": prompts, "target": targets}
        batched[name] = datasets.Dataset.from_dict(columns)
    if is_seq2seq(task):
        sizes["target_language"] = options["target_language"]
        return kftune.training.pair_batches(task, batched, **sizes)
    columns = {"text": "source", "answer": "target"}
    return kftune.training.text_batches(task, batched, **columns, **sizes)


def summarize(task, sources, options, interests=None):
    """Write a summary of each text by beam search."""
    prompts = make_prompts(task, sources, options, interests)
    repeats, most = options["no_repeat_ngram_size"], options["max_summary_tokens"]
    if repeats is None:
        repeats = 3 if is_seq2seq(task) else 0
    task.compile(
        sampler=kftune.decoding.BeamSearch(
            options["num_beams"], no_repeat_ngram_size=repeats
        )
    )
    if is_seq2seq(task):
        language = options["target_language"]
        return kftune.decoding.translate_texts(
            task, prompts, max_length=most, target_language=language
        )
    texts = kftune.decoding.generate_texts(
        task, prompts, max_new_tokens=most, stop_strings=["\n"], long_prompts="window"
    )
    return [text.strip() for text in texts]


if __name__ == "__main__":
    run_recipe(main)
