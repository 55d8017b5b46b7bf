"""Train an encoder-decoder from scratch on text pairs, and score its translations.

    python recipes/translate.py --train pairs.tsv --source en --target de
    python recipes/translate.py --train train.en+train.de --validation val.en+val.de \
        --test test.en+test.de --source en --target de --out runs/en-de

A table of pairs has the header line source<TAB>target. A small Transformer in Marian's
format: --out then holds model/, a preset folder, and marian/, a Hugging Face folder for
transformers. CTranslate2 needs `kftune export OUT/model FOLDER --to ctranslate2`.
Beside them are results.json, history.csv, curves.png, translations.tsv and logs for
TensorBoard. What it reaches stands in docs/results.md. The same command goes on with a
run that was stopped; --overwrite makes a run anew.
"""

import time
from pathlib import Path
from typing import Annotated

import keras

import kftune
from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe


def main(
    *,
    train: list[str],
    validation: str | None = None,
    test: str | None = None,
    source: str = "en",
    target: str = "de",
    vocabulary_size: Annotated[int, types.at_least(300)] = 4000,
    num_layers: types.PositiveInt = 4,
    num_heads: types.PositiveInt = 4,
    hidden_dim: types.PositiveInt = 128,
    intermediate_dim: types.PositiveInt = 256,
    max_length: Annotated[int, types.at_least(3)] = 64,
    dropout: types.DropoutRate = 0.3,
    attention_dropout: types.DropoutRate = 0.0,
    label_smoothing: types.DropoutRate = 0.1,
    learning_rate: types.PositiveFloat = 4e-3,
    warmup_steps: types.PositiveInt = 2000,
    max_tokens: types.PositiveInt = 4096,
    epochs: types.PositiveInt = 50,
    decay_epochs: Annotated[int, types.at_least(0)] = 11,
    patience: types.PositiveInt = 12,
    averaged: types.PositiveInt = 10,
    num_beams: types.PositiveInt = 5,
    seed: types.Seed = 0,
    out: types.RunFolder = Path("runs/translate"),
):
    """Read, clean, train a vocabulary, build, compile, fit, average, score, save.

    Args:
        train: text pairs: files that match line by line, "train.en+train.de", files
            with the columns source and target, corpora as "django"; one or several.
        validation: pairs that choose the best epochs by BLEU; nothing takes a tenth of
            train, 2,000 at most.
        test: pairs that are scored once, at the end; nothing takes as many of train.
        source: language code of the sources; training pairs in others are dropped.
        target: language code of the targets.
        vocabulary_size: tokens that both languages share.
        num_layers: blocks of the encoder, and of the decoder.
        num_heads: attention heads a block.
        hidden_dim: width.
        intermediate_dim: width of the feed-forward layers.
        max_length: tokens of a text at most; longer ones are cut.
        dropout: after embeddings and sublayers.
        attention_dropout: on attention weights.
        label_smoothing: share of the probability that all tokens get alike.
        learning_rate: peak of Adam's; falls with the root of the steps.
        warmup_steps: steps in which the rate rises, a quarter of all at most.
        max_tokens: tokens a step, both sides and padding included.
        epochs: the most epochs.
        decay_epochs: the last of them, in which the rate falls to 0.
        patience: epochs without a better BLEU after which training stops.
        averaged: best epochs whose weights are averaged.
        num_beams: of the search that translates the test pairs.
        seed: of the split, of weights, dropout and order.
        out: folder for all that is written.
    """
    settings = dict(locals())
    started = time.perf_counter()
    kftune.training.use_compilation_cache()
    keras.utils.set_random_seed(seed)

    pairs = kftune.data.read_pair_splits(
        train, validation, test, language=target, seed=seed, languages=(source, target)
    )
    for name in ("validation", "test"):  # now, not after hours of training
        rows = pairs[name]
        kftune.evaluation.check_references(rows["target"], rows["source"])
    may_differ = ["epochs", "decay_epochs", "patience"]
    kftune.training.open_run(out, settings, may_differ)

    tokenizer = kftune.models.train_marian_tokenizer(
        pairs["train"]["source"], pairs["train"]["target"], vocabulary_size
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
            attention_dropout=attention_dropout,
            initializer_stddev=hidden_dim**-0.5,
        ),
        kftune.models.TransformerSeq2SeqLMPreprocessor(
            tokenizer, max_length, max_length
        ),
    )
    splits = {name: pairs[name] for name in ("train", "validation")}
    batches = kftune.training.pair_batches(
        task, splits, max_tokens=max_tokens, seed=seed
    )
    print(batches["train"])
    steps = len(batches["train"])
    # A small corpus has few steps: the rate must not rise until the end of them.
    rise = max(1, min(warmup_steps, steps * epochs // 4))
    fall = steps * min(decay_epochs, epochs)
    rate = kftune.training.InverseSquareRoot(learning_rate, rise, steps * epochs, fall)
    kftune.training.compile_translation(task, rate, label_smoothing)
    seconds = fit(
        task,
        batches,
        pairs["validation"],
        out,
        averaged=averaged,
        epochs=epochs,
        patience=patience,
    )
    if kftune.training.in_trial():  # recipes/search.py must not choose by test scores
        return

    task.compile(sampler=kftune.decoding.BeamSearch(num_beams))
    task.save_to_preset(out / "model")
    kftune.models.save_to_hugging_face(task, out / "marian")
    scores = kftune.evaluation.evaluate_translation(
        task, pairs["test"], out / "translations.tsv"
    )
    kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        times={**seconds, "all": time.perf_counter() - started},
        test=scores,
    )
    kftune.training.close_run(out)
    print(f"Written to {out}: results.json, translations.tsv, model/, marian/")


def fit(task, batches, validation, out, **options):
    """Train with BLEU on the validation pairs in the logs; average the best epochs."""
    bleu = kftune.evaluation.translation_scorer(validation)
    samples = kftune.training.SampleCallback(
        type(task).generate, validation["source"][:3]
    )
    history, seconds = kftune.training.fit_run(
        task,
        batches["train"],
        batches["validation"],
        out,
        monitor="val_bleu",
        callbacks=[kftune.training.ScoreCallback(bleu), samples],
        **options,
    )
    print(kftune.evaluation.describe_overfitting(history.history))
    kftune.evaluation.plot_curves(
        history.history, out / "curves.png", monitor="val_bleu", mode="max"
    )
    return seconds


if __name__ == "__main__":
    run_recipe(main)
