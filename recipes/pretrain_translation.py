"""Train a small translation model of several directions from scratch, as a preset.

    python recipes/pretrain_translation.py --folder DATA
    python recipes/pretrain_translation.py --folder DATA --pairs en-de,en-fr

DATA holds en-de.train.tsv.xz, en-de.val.tsv.xz and en-de.test.tsv.xz without header
lines: a source, a tab, its translation. One model in Marian's format learns both
directions; a tag before the source, `>>de<<`, tells it the language of the target.
Under --out come preset/, whose weights take two bytes each, marian/ for transformers,
results.json with test scores and floors, the test translations, history.csv, curves.png
and logs for TensorBoard. CTranslate2 needs `kftune export OUT/preset FOLDER --to
ctranslate2`. The same command goes on with a run that was stopped; --overwrite makes a
run anew. docs/presets.md has the model card.
"""

import time
from pathlib import Path
from typing import Annotated

import datasets
import keras

import kftune
from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe


def main(
    *,
    folder: Path = Path("."),
    pairs: str = "en-de",
    vocabulary_size: Annotated[int, types.at_least(300)] = 8000,
    num_layers: types.PositiveInt = 4,
    num_heads: types.PositiveInt = 4,
    hidden_dim: types.PositiveInt = 128,
    intermediate_dim: types.PositiveInt = 512,
    max_length: Annotated[int, types.at_least(3)] = 128,
    dropout: types.DropoutRate = 0.1,
    label_smoothing: types.DropoutRate = 0.1,
    learning_rate: types.PositiveFloat = 5e-3,
    warmup_steps: types.PositiveInt = 2000,
    max_tokens: types.PositiveInt = 8192,
    max_buckets: types.PositiveInt = 12,
    epochs: types.PositiveInt = 20,
    patience: types.PositiveInt = 5,
    averaged: types.PositiveInt = 4,
    scored_pairs: types.PositiveInt = 150,
    num_beams: types.PositiveInt = 5,
    seed: types.Seed = 0,
    out: types.RunFolder = Path("runs/transformer_tiny_en_de"),
):
    """Read, clean, train a vocabulary, build, compile, fit, average, score, save.

    Args:
        folder: where the files of text pairs are.
        pairs: language pairs, such as "en-de,en-fr"; each is learnt in both directions.
        vocabulary_size: tokens that all languages share.
        num_layers: blocks of the encoder, and of the decoder.
        num_heads: attention heads a block.
        hidden_dim: width.
        intermediate_dim: width of the feed-forward layers.
        max_length: tokens of a text at most; longer ones are cut.
        dropout: after embeddings and sublayers, and on attention weights.
        label_smoothing: share of the probability that all tokens get alike.
        learning_rate: peak of Adam's; falls with the root of the steps.
        warmup_steps: steps in which the rate rises.
        max_tokens: tokens a step, both sides and padding included.
        max_buckets: shapes of batches; more mean less padding and more to compile.
        epochs: the most epochs.
        patience: epochs without a better BLEU after which training stops.
        averaged: best epochs whose weights are averaged.
        scored_pairs: validation pairs of each direction whose BLEU tells the best ones.
        num_beams: of the search that translates the test pairs.
        seed: of weights, dropout, order and the scored pairs.
        out: folder for all that is written.
    """
    settings = dict(locals())
    started = time.perf_counter()
    kftune.training.use_compilation_cache()
    keras.utils.set_random_seed(seed)

    languages = [tuple(pair.split("-")) for pair in pairs.split(",")]
    splits = read_splits(folder, languages)
    texts = datasets.concatenate_datasets([*splits["train"].values()])
    splits = {name: kftune.data.both_directions(rows) for name, rows in splits.items()}
    resumed = kftune.training.open_run(out, settings, ["epochs", "patience"])

    codes = sorted({code for pair in languages for code in pair})
    tokenizer = get_tokenizer(
        texts, vocabulary_size, codes, out / "vocabulary", resumed
    )
    task = kftune.models.TransformerSeq2SeqLM(
        kftune.models.TransformerBackbone(
            tokenizer.vocabulary_size(),
            num_layers,
            num_heads,
            hidden_dim,
            intermediate_dim,
            dropout,
            max_length,
        ),
        kftune.models.TransformerSeq2SeqLMPreprocessor(
            tokenizer, max_length, max_length
        ),
    )
    tagged = {name: kftune.data.tag_directions(rows) for name, rows in splits.items()}
    del tagged["test"]
    batches = kftune.training.pair_batches(
        task, tagged, max_tokens=max_tokens, max_buckets=max_buckets, seed=seed
    )
    print(batches["train"])
    rate = kftune.training.InverseSquareRoot(learning_rate, warmup_steps)
    kftune.training.compile_translation(task, rate, label_smoothing)
    scored = {
        direction: rows.shuffle(seed).select(range(min(scored_pairs, len(rows))))
        for direction, rows in splits["validation"].items()
    }
    limits = {"averaged": averaged, "epochs": epochs, "patience": patience}
    seconds = fit(task, batches, scored, out, **limits)

    task.compile(sampler=kftune.decoding.BeamSearch(num_beams))
    kftune.models.save_float16_preset(task, out / "preset")
    kftune.models.save_to_hugging_face(task, out / "marian")
    scores, floors = evaluate(task, splits, out)
    kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        times={**seconds, "all": time.perf_counter() - started},
        test=scores,
        floors=floors,
    )
    kftune.training.close_run(out)
    print(f"Written to {out}: results.json, translations.*.tsv, preset/, marian/")


def read_splits(folder, languages):
    """Read all text pairs; clean those to train on, and drop what is held out."""

    def read(split):
        return {
            pair: kftune.data.read(
                folder / f"{'-'.join(pair)}.{split}.tsv.xz",
                column_names=["source", "target"],
            )
            for pair in languages
        }

    train, validation, test = read("train"), read("val"), read("test")
    held_out = [*validation.values(), *test.values()]
    for rows in held_out:  # now, not hours later; either side is a reference
        for side in ("source", "target"):
            kftune.evaluation.check_references(rows[side])
    held_out = datasets.concatenate_datasets(held_out)
    for pair in languages:
        rows, _ = kftune.data.clean_pairs(train[pair], languages=pair)
        train[pair] = kftune.data.drop_overlap(rows, held_out)
    return {"train": train, "validation": validation, "test": test}


def get_tokenizer(pairs, vocabulary_size, languages, folder, resumed):
    """Train one vocabulary for all languages; a resumed run has it already."""
    if not resumed:
        tokenizer = kftune.models.train_marian_tokenizer(
            pairs["source"], pairs["target"], vocabulary_size, languages=languages
        )
        folder.mkdir(exist_ok=True)
        tokenizer.save_assets(folder)
    tokenizer = kftune.models.MarianTokenizer()
    tokenizer.load_assets(folder)
    return tokenizer


def fit(task, batches, scored, out, **limits):
    """Train with BLEU of each direction in the logs; average the best epochs."""
    scorers = {
        "-".join(names): kftune.evaluation.translation_scorer(
            rows, target_language=names[1]
        )
        for names, rows in scored.items()
    }

    def bleu(task):
        scores = {f"bleu_{n}": score(task)["bleu"] for n, score in scorers.items()}
        return {"bleu": sum(scores.values()) / len(scores), **scores}

    shown = kftune.data.tag_directions(
        {names: rows.select([0]) for names, rows in scored.items()}
    )
    samples = kftune.training.SampleCallback(type(task).generate, shown["source"][:])
    history, seconds = kftune.training.fit_run(
        task,
        batches["train"],
        batches["validation"],
        out,
        monitor="val_bleu",
        callbacks=[kftune.training.ScoreCallback(bleu), samples],
        **limits,
    )
    print(kftune.evaluation.describe_overfitting(history.history))
    kftune.evaluation.plot_curves(
        history.history, out / "curves.png", monitor="val_bleu", mode="max"
    )
    return seconds


def evaluate(task, splits, out):
    """Translate and score the test pairs of each direction; score the floors."""
    scores, floors = {}, {}
    for direction, rows in splits["test"].items():
        name = "-".join(direction)
        print(f"{name}, {len(rows)} pairs:")
        scores[name] = kftune.evaluation.evaluate_translation(
            task, rows, out / f"translations.{name}.tsv", target_language=direction[1]
        )
        floors[name] = kftune.evaluation.score_floors(splits["train"][direction], rows)
        print(f"Floors: {floors[name]}")
    return scores, floors


if __name__ == "__main__":
    run_recipe(main)
