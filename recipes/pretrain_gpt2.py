"""Pretrain a small GPT-2 on plain text, perhaps with a teacher, as a preset.

    python recipes/pretrain_gpt2.py --folder DATA --out runs/gpt2_tiny_en \
        --corpora recipes/configs/gpt2_tiny_en.yaml --teacher runs/teacher/model

--corpora names the texts under --folder. --teacher is a classifier of criticism and
praise that recipes/train_teacher.py has fine-tuned; without it the language model is
trained alone. The same command goes on with a run that was stopped, and with more
--epochs with one that has ended; --overwrite makes a run anew. docs/presets.md tells
how the shipped preset was made.
"""

import functools
from pathlib import Path
from typing import Annotated

import keras

import kftune
from kftune.cli import option_types as types
from kftune.cli.recipe import run_recipe


def main(
    *,
    corpora: Path = Path("recipes/configs/gpt2_tiny_en.yaml"),
    folder: Path = Path("."),
    teacher: Path | None = None,
    epochs: types.PositiveInt = 40,
    decay_epochs: types.NonNegativeInt = 10,
    epoch_steps: Annotated[int, types.at_least(2)] = 250,
    max_tokens: types.PositiveInt = 4096,
    vocabulary_size: Annotated[int, types.at_least(257)] = 8192,
    num_layers: types.PositiveInt = 4,
    num_heads: types.PositiveInt = 4,
    hidden_dim: types.PositiveInt = 256,
    context: Annotated[int, types.at_least(3)] = 256,
    learning_rate: types.PositiveFloat = 2e-3,
    dropout: types.DropoutRate = 0.1,
    seed: types.Seed = 0,
    out: types.RunFolder = Path("runs/gpt2_tiny_en"),
):
    """Read, train a vocabulary, build, ask the teacher, compile, fit, save.

    Args:
        corpora: YAML list of corpora, see `kftune.data.PretrainingCorpus`.
        folder: where their files are.
        teacher: preset folder of a classifier, or nothing.
        epochs: of `epoch_steps` each; after each one is a scoring and a checkpoint.
        decay_epochs: the last ones, in which the learning rate falls to 0.
        epoch_steps: optimizer steps an epoch.
        max_tokens: tokens a step, padding included.
        vocabulary_size: tokens of the byte-level BPE.
        num_layers: blocks.
        num_heads: attention heads a block.
        hidden_dim: width; the feed-forward layers are 4 times as wide.
        context: tokens the model sees at most.
        learning_rate: peak of Muon (matrices) and AdamW (the rest).
        dropout: of the saved preset, for fine-tuning; pretraining uses none.
        seed: of everything random.
        out: folder for vocabulary, checkpoints, history.csv, results.json and preset/.
    """
    settings = dict(locals())
    kftune.training.use_compilation_cache()
    keras.utils.set_random_seed(seed)
    total, decay = epochs * epoch_steps, decay_epochs * epoch_steps
    schedule = kftune.training.WarmupStableDecay(
        learning_rate, total, warmup_steps=epoch_steps, decay_steps=decay
    )

    plans = kftune.data.load_corpora(corpora)
    passages = kftune.data.read_pretraining_corpora(plans, folder)
    resumed = kftune.training.open_run(out, settings, ["epochs", "decay_epochs"])
    tokenizer = get_tokenizer(passages, vocabulary_size, out / "vocabulary", resumed)

    backbone = kftune.models.GPT2Backbone(
        vocabulary_size=vocabulary_size,
        num_layers=num_layers,
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        intermediate_dim=4 * hidden_dim,
        max_sequence_length=context,
        dropout=0.0,
    )
    answers, teacher_dim = None, None
    if teacher is not None:
        asked = kftune.training.Teacher.from_preset(teacher, out / "answers")
        answers = ask(asked, passages, plans, tokenizer, backbone)
        teacher_dim = answers["embedding"].shape[1]
    model = kftune.models.gpt2_pretrainer(backbone, teacher_dim)
    optimizer = kftune.training.muon(model, schedule)
    jit_compile = kftune.training.choose_jit_compile()
    kftune.models.compile_pretrainer(model, optimizer, jit_compile=jit_compile)

    rows = kftune.training.PretrainingRows(
        passages, plans, tokenizer, answers, context=context, max_tokens=max_tokens
    )
    score = functools.partial(kftune.evaluation.perplexities, data=rows.held_out())
    fit(model, kftune.data.EndlessBatches(rows.cycle, epoch_steps), score, epochs, out)

    task = kftune.models.GPT2CausalLM(
        backbone, kftune.models.GPT2CausalLMPreprocessor(tokenizer, context)
    )
    kftune.models.save_float16_preset(task, out / "preset", dropout=dropout)
    kftune.evaluation.write_results(
        out / "results.json", settings=settings, perplexity=score(model)
    )


def get_tokenizer(passages, vocabulary_size, folder, resumed):
    """Train a vocabulary on what is not held out; a resumed run has it already."""
    if not resumed:
        texts = passages.filter(lambda row: not row["validation"])["text"]
        kftune.models.train_gpt2_tokenizer(texts, folder, vocabulary_size)
    return kftune.models.load_gpt2_tokenizer(folder)


def ask(teacher, passages, plans, tokenizer, backbone):
    """Ask a teacher about the passages, and begin with its view of each token."""
    backbone.token_embedding.embeddings.assign(
        teacher.token_embeddings(tokenizer, backbone.hidden_dim)
    )
    return teacher.ask_alone(passages, plans)


def fit(model, data, score, epochs, out):
    """Train, or go on where a run was stopped, with a score after each epoch."""
    callbacks = [
        kftune.training.DataPosition(data),
        kftune.training.StopOnDivergence(),
        kftune.training.FirstStepTime(),
        kftune.training.ScoreCallback(score, prefix="perplexity_"),
        kftune.training.TokensPerSecond(data),
        keras.callbacks.CSVLogger(out / "history.csv", append=True),
    ]
    checkpoint = kftune.training.RunCheckpoint(
        out / kftune.training.CHECKPOINTS, callbacks
    )
    callbacks.append(checkpoint)
    for begin, end in checkpoint.ranges(epochs):
        model.fit(
            data, initial_epoch=begin, epochs=end, shuffle=False, callbacks=callbacks
        )


if __name__ == "__main__":
    run_recipe(main)
