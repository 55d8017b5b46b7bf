"""Adapt a translation model to the messages of a product, in several ways.

    python recipes/adapt_translation.py --preset transformer_tiny_en_de --language de \
        --corpora django plone --general-test test.en+test.de --out runs/adapt

Each regime starts from the preset, trains on the messages what it leaves unfrozen, and
is scored on messages that no training saw (in domain) and on a general test set, which
shows what is forgotten. Regimes are policies of docs/freezing.md. --out then holds
results.json with a table, changes.png, in_domain.tsv and general.tsv with all
translations, and a folder for each regime: model/, a preset folder, results.json,
history.csv, curves.png and logs for TensorBoard. The same command goes on with a run
that was stopped, also with more --regimes, and keeps those that ended; --overwrite
makes all of them anew.
"""

import re
from pathlib import Path

import keras

import kftune
from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe

UNADAPTED = "unadapted"
REGIMES = ("nothing", "encoder", "all_but_cross_attention", "embeddings", "lora")


def main(
    *,
    preset: str,
    general_test: str,
    corpora: list[str] = ["django"],  # noqa: B006
    language: str = "de",
    target_language: str | None = None,
    regimes: list[str] = [*REGIMES],  # noqa: B006
    learning_rate: types.PositiveFloat = 1e-3,
    lora_learning_rate: types.PositiveFloat = 3e-3,
    label_smoothing: types.DropoutRate = 0.1,
    max_tokens: types.PositiveInt = 4096,
    max_length: types.PositiveInt = 128,
    epochs: types.PositiveInt = 30,
    patience: types.PositiveInt = 10,
    averaged: types.NonNegativeInt = 4,
    num_beams: types.PositiveInt = 4,
    seed: types.Seed = 0,
    split_seed: types.Seed = 0,
    out: types.RunFolder = Path("runs/adapt_translation"),
):
    """Read, split by message; for each regime load, freeze, fit, translate; score.

    Args:
        preset: encoder-decoder with English sources: a name or a folder.
        general_test: pairs that are not of the product: "test.en+test.de", or a file
            with the columns source and target.
        corpora: messages: "django", "plone", a .po file, or files as for general_test.
        language: into which language, as the corpora name it.
        target_language: what a multilingual preset calls it, if something else.
        regimes: what is frozen: policies of `kftune.tuning.freeze`.
        learning_rate: peak of Adam's, from which it falls to 0 in the last epoch.
        lora_learning_rate: the same for the factors, which begin with zeros.
        label_smoothing: share of the probability that all tokens get alike.
        max_tokens: tokens a step, both sides and padding included.
        max_length: tokens of a text at most; longer ones are cut.
        epochs: the most epochs of a regime.
        patience: epochs without a better BLEU on held-out messages before it stops.
        averaged: best epochs whose weights are averaged; 0 takes the best one, and
            leaves LoRA factors apart from the weights.
        num_beams: of the search that translates the test sets.
        seed: of dropout, order and new weights.
        split_seed: of the split into train, validation and test.
        out: folder for all that is written.
    """
    settings = dict(locals())
    kftune.training.use_compilation_cache()
    options = {k: v for k, v in settings.items() if k not in ("regimes", "out")}
    general = kftune.data.read_pairs([general_test])
    check(preset, regimes, general)
    splits = read_splits(corpora, language, general, split_seed)
    tests = {"in domain": splits.pop("test"), "general": general}

    kftune.training.open_runs(out, settings, may_differ=["regimes"])
    systems = {}
    for regime in (UNADAPTED, *regimes):
        folder = out / folder_name(regime)
        run = {**options, "regime": regime}
        systems[regime] = kftune.training.read_finished(folder, run) or adapt(
            run, folder, splits, tests
        )

    translations = {name: system["translations"] for name, system in systems.items()}
    scored = kftune.evaluation.score_systems(translations, tests)
    table = scored.markdown(
        trained={name: f"{system['trained']:.1%}" for name, system in systems.items()},
        seconds={name: f"{system['seconds']:.0f}" for name, system in systems.items()},
    )
    print(table)
    changes, unsure = scored.changes("bleu")
    title = f"{Path(preset).name} on {', '.join(corpora)}, by what is frozen"
    kftune.evaluation.plot_changes(
        changes, out / "changes.png", title=title, unsure=unsure
    )
    write_translations(translations, tests, out)
    kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        rows={name: len(rows) for name, rows in {**splits, **tests}.items()},
        trained={name: system["trained"] for name, system in systems.items()},
        seconds={name: system["seconds"] for name, system in systems.items()},
        test=vars(scored),
        table=table,
    )
    print(f"Written to {out}: results.json, changes.png, in_domain.tsv, general.tsv")


def check(preset, regimes, general):
    """End the run now and not hours later: misspelt policies, blank references."""
    names = [folder_name(regime) for regime in (UNADAPTED, *regimes)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(
            "Expected regimes, and none called unadapted, that differ in more than "
            f"punctuation, as each has a folder. Received: {regimes}, of which "
            f"several would be written to {', '.join(twice)}"
        )
    kftune.evaluation.check_references(general["target"])
    task = kftune.models.TransformerSeq2SeqLM.from_preset(preset)
    for regime in regimes:
        kftune.tuning.freeze(task, regime)
        if regime.startswith("lora"):
            kftune.tuning.merge(task)


def folder_name(regime):
    """What the folder of a regime is called."""
    return re.sub(r"\W+", "_", regime)


def read_splits(corpora, language, general, seed):
    """Read and clean messages, and split them; no message stands in two parts."""
    rows = kftune.data.read_pairs(corpora, language=language)
    rows, _ = kftune.data.clean_pairs(rows, keep_identical=True)
    rows = kftune.data.drop_overlap(rows, general)
    return dict(kftune.data.split(rows, validation=0.1, test=0.1, seed=seed))


def adapt(options, folder, splits, tests):
    """Load, freeze, fit, save; translate the test sets."""
    regime = options["regime"]
    keras.utils.set_random_seed(options["seed"])
    kftune.training.open_run(folder, options)

    length = options["max_length"]
    task = kftune.models.TransformerSeq2SeqLM.from_preset(
        options["preset"],
        encoder_sequence_length=length,
        decoder_sequence_length=length,
    )
    code = language_code(task, options)
    report, trained, seconds = None, 0.0, 0.0
    if regime != UNADAPTED:
        report = kftune.tuning.freeze(task, regime)
        print(report)
        trained = report.trained_share
        seconds = fit(task, splits, folder, code, options)
        task.save_to_preset(folder / "model")
    task.compile(sampler=kftune.decoding.BeamSearch(options["num_beams"]))
    translations = {
        name: kftune.decoding.translate_texts(
            task, rows["source"], target_language=code
        )
        for name, rows in tests.items()
    }
    results = kftune.evaluation.write_results(
        folder / "results.json",
        settings=options,
        trained=trained,
        freezing=report,
        seconds=seconds,
        translations=translations,
    )
    kftune.training.close_run(folder)
    return results


def language_code(task, options):
    """By what a preset that knows several languages is told; None if it knows one."""
    tokenizer, code = task.preprocessor.tokenizer, options["target_language"]
    if any(getattr(tokenizer, n, ()) for n in ("language_codes", "language_tokens")):
        return code or options["language"]
    return code


def fit(task, splits, folder, code, options):
    """Train until BLEU on held-out messages no longer rises; the seconds it took."""
    batches = kftune.training.pair_batches(
        task,
        splits,
        target_language=code,
        max_tokens=options["max_tokens"],
        seed=options["seed"],
    )
    print(batches["train"])
    with_lora = options["regime"].startswith("lora")
    rate = options["lora_learning_rate" if with_lora else "learning_rate"]
    steps = options["epochs"] * len(batches["train"])
    schedule = kftune.training.make_schedule("linear", rate, steps)
    kftune.training.compile_translation(task, schedule, options["label_smoothing"])
    bleu = kftune.evaluation.translation_scorer(
        splits["validation"], target_language=code
    )
    history, seconds = kftune.training.fit_run(
        task,
        batches["train"],
        batches["validation"],
        folder,
        epochs=options["epochs"],
        patience=options["patience"],
        monitor="val_bleu",
        averaged=options["averaged"] or None,
        callbacks=[kftune.training.ScoreCallback(bleu)],
    )
    print(kftune.evaluation.describe_overfitting(history.history))
    kftune.evaluation.plot_curves(
        history.history, folder / "curves.png", monitor="val_bleu", mode="max"
    )
    return seconds["fit"]


def write_translations(translations, tests, out):
    """Write each test set with the translations of all systems beside it."""
    for test, rows in tests.items():
        columns = {name: made[test] for name, made in translations.items()}
        kftune.evaluation.write_outputs(
            out / f"{test.replace(' ', '_')}.tsv",
            source=rows["source"],
            target=rows["target"],
            **columns,
        )


if __name__ == "__main__":
    run_recipe(main)
