"""Fine-tune a pretrained model to write short summaries, and score them.

    python recipes/summarize.py --data scitldr/train.jsonl.xz \
        --test-data scitldr/dev.jsonl.xz --out runs/summaries
    python recipes/summarize.py --data ... --test-data ... --interests
    python recipes/summarize.py --data ... --test-data ... --target-language en \
        --preset transformer_tiny_en_de --learning-rate 2e-3 --epochs 15

GPT-2 goes on with the text and "TL;DR:", an encoder-decoder reads the text and writes;
which of them it is, the preset tells. Files have the columns source, a text, and target,
its summary or a list of them. Under --out come results.json with the scores of the model,
of the preset as it was, and of sentences of the source; summaries.tsv, interests.tsv,
history.csv, curves.png, logs for TensorBoard and model/, a preset folder. The same
command goes on with a run that was stopped; --overwrite makes a run anew. See
docs/summaries.md.
"""

import random
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
    label_smoothing: types.DropoutRate = 0.1,
    max_tokens: types.PositiveInt = 4096,
    epochs: types.PositiveInt = 3,
    patience: types.PositiveInt = 2,
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
        label_smoothing: share of the probability that all tokens get alike.
        max_tokens: tokens a step, padding included.
        epochs: the most epochs.
        patience: epochs without a lower validation loss after which training stops.
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

    splits, test = read_splits(data, test_data, split_seed)
    kftune.training.open_run(out, settings)
    task = load(settings)
    rate, smoothing = learning_rate, label_smoothing
    batches = make_batches(task, splits, settings)
    print(batches["train"])
    task.compile(
        kftune.training.adamw(task, rate, epochs * len(batches["train"])),
        loss=kftune.layers.SmoothedCrossentropy(smoothing),
        jit_compile=kftune.training.choose_jit_compile(),
    )
    history, seconds = kftune.training.fit_run(
        task,
        batches["train"],
        batches["validation"],
        out,
        epochs=epochs,
        patience=patience,
        monitor="val_loss",
        mode="min",
    )
    print(kftune.evaluation.describe_overfitting(history.history))
    kftune.evaluation.plot_curves(history.history, out / "curves.png")
    task.save_to_preset(out / "model")

    systems = {
        "model": summarize(task, test["source"], settings),
        "untrained": summarize(load(settings), test["source"], settings),
        **kftune.evaluation.summary_floors(splits["train"], test),
    }
    scores = kftune.evaluation.evaluate_summaries(systems, test, out / "summaries.tsv")
    if interests:
        interests = score_readers(task, test, systems["model"], settings)
        print(interests)
    kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        rows={name: len(rows) for name, rows in {**splits, "test": test}.items()},
        times={**seconds, "all": time.perf_counter() - started},
        test=scores.pop("model"),
        floors=scores,
        interests=interests,
    )
    kftune.training.close_run(out)
    print(f"Written to {out}: results.json, summaries.tsv, curves.png, model/")


def read_splits(data, test_data, seed):
    """Read, a row a summary to train on, clean, split; no text stands in two parts."""
    rows, test = kftune.data.read(data), kftune.data.read(test_data)
    # Blank references end the run now and not hours later.
    kftune.evaluation.score_summaries(test["source"], test["target"], "rouge1")
    pairs = zip(rows["source"], rows["target"], strict=True)
    pairs = [(s, t) for s, ts in pairs for t in ([ts] if isinstance(ts, str) else ts)]
    rows = as_rows(*zip(*pairs, strict=True))
    limits = dict.fromkeys(("max_words", "max_chars", "max_ratio"))
    rows, _ = kftune.data.clean_pairs(rows, **limits)
    rows = kftune.data.drop_overlap(rows, test, columns=["source"])
    return kftune.data.split(rows, validation=0.1, test=0, seed=seed), test


def as_rows(sources, targets):
    """Make a data set of two columns."""
    return datasets.Dataset.from_dict({"source": sources, "target": targets})


def load(options):
    """Load the preset; sources may have as many tokens as was asked for."""
    task, length = kftune.models.load_task(options["preset"]), options["max_length"]
    if isinstance(task, kftune.models.TransformerSeq2SeqLM):
        return kftune.models.with_positions(task, length)
    task.preprocessor.sequence_length = min(length, task.backbone.max_positions)
    return task


def make_prompts(task, sources, options, interests=None):
    """Write what the model reads, and is to go on with if it is a GPT-2."""
    choices = {"interests": interests, "keep": options["keep"]}
    preprocessor = task.preprocessor
    if isinstance(task, kftune.models.TransformerSeq2SeqLM):
        most = preprocessor.encoder_sequence_length - 1  # the language
        return kftune.data.summary_prompts(
            sources,
            most - 1,
            lambda text: len(preprocessor.tokenize_rows([text], "source")[0]),
            **choices,
        )
    return kftune.data.summary_prompts(
        sources,
        preprocessor.sequence_length - options["max_summary_tokens"],
        lambda text: len(preprocessor.prompt_rows([text])[0]),
        ending=ENDING,
        **choices,
    )


def make_batches(task, splits, options):
    """Batch prompts and summaries; half of the prompts name interests, if any do."""
    batched, sizes = {}, {name: options[name] for name in ("max_tokens", "seed")}
    draw = random.Random(options["seed"])
    for name, rows in splits.items():
        words = [
            kftune.data.interest_words(*pair, seed=options["seed"])
            if options["interests"] and draw.random() < 0.5
            else []
            for pair in zip(rows["source"], rows["target"], strict=True)
        ]
        prompts = make_prompts(task, rows["source"], options, words)
        batched[name] = as_rows(prompts, [f" {text}" for text in rows["target"]])
    if isinstance(task, kftune.models.TransformerSeq2SeqLM):
        sizes["target_language"] = options["target_language"]
        return kftune.training.pair_batches(task, batched, **sizes)
    return kftune.training.text_batches(
        task, batched, text="source", answer="target", **sizes
    )


def summarize(task, sources, options, interests=None):
    """Write a summary of each text by beam search."""
    prompts = make_prompts(task, sources, options, interests)
    is_seq2seq = isinstance(task, kftune.models.TransformerSeq2SeqLM)
    repeats, most = options["no_repeat_ngram_size"], options["max_summary_tokens"]
    if repeats is None:
        repeats = 3 if is_seq2seq else 0
    task.compile(
        sampler=kftune.decoding.BeamSearch(
            options["num_beams"], no_repeat_ngram_size=repeats
        )
    )
    if is_seq2seq:
        language = options["target_language"]
        return kftune.decoding.translate_texts(
            task, prompts, max_length=most, target_language=language
        )
    texts = kftune.decoding.generate_texts(
        task, prompts, max_new_tokens=most, stop_strings=["\n"], long_prompts="window"
    )
    return [text.strip() for text in texts]


def score_readers(task, test, summaries, options):
    """Summarise once more for who wrote each reference, and compare."""
    readers = []
    for source, targets, plain in zip(
        test["source"], test["target"], summaries, strict=True
    ):
        for target in targets:
            words = kftune.data.interest_words(source, target, seed=options["seed"])
            readers += [(source, target, plain, words)] if words else []
    sources, targets, plain, words = map(list, zip(*readers, strict=True))
    personal = summarize(task, sources, options, words)
    table = as_rows(sources, targets).to_dict() | {"plain": plain, "personal": personal}
    table["interests"] = [", ".join(some) for some in words]
    datasets.Dataset.from_dict(table).to_csv(
        options["out"] / "interests.tsv", sep="\t", index=False
    )
    return kftune.evaluation.score_interests(plain, personal, targets, words)


if __name__ == "__main__":
    run_recipe(main)
