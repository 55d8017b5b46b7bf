"""Give a translation model a new target language on the encoder that it has.

    python recipes/new_language.py --preset transformer_tiny_en_de --language fr \
        --train django plone --out runs/en-fr
    python recipes/new_language.py --preset transformer_tiny_en_de --language fr \
        --train train.en+train.fr --validation val.en+val.fr --test test.en+test.fr

The preset's encoder stays, frozen unless told otherwise; the decoder, its vocabulary
and the output are new. A model of the same size and vocabularies that starts from
random weights is trained beside it on the same pairs. --out then holds results.json
with a table, test.tsv with both translations, and a folder for each: model/, a preset
folder, results.json, history.csv, curves.png and logs for TensorBoard. The same command
goes on with a run that was stopped; --overwrite makes a run anew.
"""

from pathlib import Path
from typing import Annotated

import keras

import kftune
from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe

SCRATCH, PRESET = "from scratch", "encoder of the preset"


def main(
    *,
    preset: str,
    train: list[str] = ["django", "plone"],  # noqa: B006
    validation: str | None = None,
    test: str | None = None,
    language: str = "fr",
    vocabulary_size: Annotated[int, types.at_least(260)] = 3000,
    freeze: str = "encoder",
    copy_decoder: bool = False,
    learning_rate: types.PositiveFloat = 2e-3,
    warmup_steps: types.PositiveInt = 200,
    label_smoothing: types.DropoutRate = 0.1,
    max_tokens: types.PositiveInt = 2048,
    max_length: types.PositiveInt = 128,
    epochs: types.PositiveInt = 40,
    patience: types.PositiveInt = 10,
    num_beams: types.PositiveInt = 4,
    seed: types.Seed = 0,
    out: types.RunFolder = Path("runs/new_language"),
):
    """Read, train a vocabulary; twice: build, freeze, fit, translate; score.

    Args:
        preset: encoder-decoder with a Marian tokenizer: a name or a folder.
        train: pairs: files as "train.en+train.fr", "django", "plone".
        validation: pairs that choose the best epoch; nothing takes a tenth of train,
            2,000 at most.
        test: pairs that are scored at the end; nothing takes as many of train.
        language: into which language, as the corpora of messages name it.
        vocabulary_size: tokens of the new target.
        freeze: policy for the preset's encoder: "encoder", or "nothing" to train all.
        copy_decoder: True keeps the decoder's blocks, too, and trains them.
        learning_rate: peak of Adam's; falls with the root of the steps.
        warmup_steps: steps in which the rate rises.
        label_smoothing: share of the probability that all tokens get alike.
        max_tokens: tokens a step, both sides and padding included.
        max_length: tokens of a text at most; longer ones are cut.
        epochs: the most epochs.
        patience: epochs without a better BLEU after which training stops.
        num_beams: of the search that translates the test pairs.
        seed: of the split, of weights, dropout and order.
        out: folder for all that is written.
    """
    settings = dict(locals())
    kftune.training.use_compilation_cache()
    splits = kftune.data.read_pair_splits(
        train, validation, test, language=language, seed=seed, keep_identical=True
    )
    for name in ("validation", "test"):  # now, not after hours of training
        rows = splits[name]
        kftune.evaluation.check_references(rows["target"], rows["source"])
    tests = {"test": splits.pop("test")}
    targets = splits["train"]["target"]
    tokenizer = kftune.models.train_marian_tokenizer(targets, targets, vocabulary_size)

    check(settings, tokenizer)
    kftune.training.open_runs(out, settings)
    options = {name: value for name, value in settings.items() if name != "out"}
    systems = {}
    for system in (SCRATCH, PRESET):
        run, folder = {**options, "system": system}, out / system.replace(" ", "_")
        systems[system] = kftune.training.read_finished(folder, run) or train_system(
            run, folder, tokenizer, splits, tests
        )

    translations = {name: system["translations"] for name, system in systems.items()}
    scored = kftune.evaluation.score_systems(translations, tests)
    table = scored.markdown(
        trained={name: f"{system['trained']:.1%}" for name, system in systems.items()},
        seconds={name: f"{system['seconds']:.0f}" for name, system in systems.items()},
    )
    print(table)
    columns = {name: made["test"] for name, made in translations.items()}
    rows = {name: tests["test"][name][:] for name in ("source", "target")}
    kftune.evaluation.write_outputs(out / "test.tsv", **rows, **columns)
    kftune.evaluation.write_results(
        out / "results.json",
        settings=settings,
        rows={name: len(rows) for name, rows in {**splits, **tests}.items()},
        trained={name: system["trained"] for name, system in systems.items()},
        seconds={name: system["seconds"] for name, system in systems.items()},
        test=vars(scored),
        table=table,
    )
    print(f"Written to {out}: results.json, test.tsv, and a model/ in each folder")


def check(options, tokenizer):
    """End the run now and not hours later: a misspelt policy, another preset."""
    task = kftune.models.TransformerSeq2SeqLM.from_preset(options["preset"])
    task = kftune.models.with_new_target(
        task, tokenizer, copy_decoder=options["copy_decoder"]
    )
    kftune.tuning.freeze(task, options["freeze"])


def train_system(options, folder, tokenizer, splits, tests):
    """Build, freeze, fit, save; translate the test pairs."""
    keras.utils.set_random_seed(options["seed"])
    kftune.training.open_run(folder, options)
    length = options["max_length"]
    trained_before = kftune.models.TransformerSeq2SeqLM.from_preset(
        options["preset"],
        encoder_sequence_length=length,
        decoder_sequence_length=length,
    )
    task = kftune.models.with_new_target(
        trained_before, tokenizer, copy_decoder=options["copy_decoder"]
    )
    if options["system"] == SCRATCH:
        backbone = type(task.backbone).from_config(task.backbone.get_config())
        task = type(task)(backbone, task.preprocessor)
        report = kftune.tuning.freeze(task, "nothing")
    else:
        report = kftune.tuning.freeze(task, options["freeze"])
    print(report)
    seconds = fit(task, splits, folder, options)
    task.save_to_preset(folder / "model")
    task.compile(sampler=kftune.decoding.BeamSearch(options["num_beams"]))
    results = kftune.evaluation.write_results(
        folder / "results.json",
        settings=options,
        trained=report.trained_share,
        freezing=report,
        seconds=seconds,
        translations={
            name: kftune.decoding.translate_texts(task, rows["source"])
            for name, rows in tests.items()
        },
    )
    kftune.training.close_run(folder)
    return results


def fit(task, splits, folder, options):
    """Train until BLEU on the validation pairs no longer rises; the seconds it took."""
    batches = kftune.training.pair_batches(
        task, splits, max_tokens=options["max_tokens"], seed=options["seed"]
    )
    print(batches["train"])
    rate = kftune.training.InverseSquareRoot(
        options["learning_rate"], options["warmup_steps"]
    )
    kftune.training.compile_translation(task, rate, options["label_smoothing"])
    bleu = kftune.evaluation.translation_scorer(splits["validation"])
    history, seconds = kftune.training.fit_run(
        task,
        batches["train"],
        batches["validation"],
        folder,
        epochs=options["epochs"],
        patience=options["patience"],
        monitor="val_bleu",
        callbacks=[kftune.training.ScoreCallback(bleu)],
    )
    print(kftune.evaluation.describe_overfitting(history.history))
    kftune.evaluation.plot_curves(
        history.history, folder / "curves.png", monitor="val_bleu", mode="max"
    )
    return seconds["fit"]


if __name__ == "__main__":
    run_recipe(main)
