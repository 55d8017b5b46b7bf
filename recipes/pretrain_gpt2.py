"""Pretrain a small GPT-2 on plain text, perhaps with a teacher, as a preset.

    python recipes/pretrain_gpt2.py --folder DATA --out runs/gpt2_tiny_en \
        --corpora recipes/configs/gpt2_tiny_en.yaml --teacher runs/teacher/model

--corpora names the texts under --folder. --teacher is a classifier of criticism and
praise that recipes/classify_reviews.py has fine-tuned; without it the language model is
trained alone. A run that was stopped goes on from its last whole epoch. docs/presets.md
tells how the shipped preset was made.
"""

from pathlib import Path
from typing import Annotated

import keras
import keras_hub
import numpy as np

import kftune
from kftune.cli.option_types import (
    DropoutRate,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Seed,
    at_least,
)
from kftune.cli.recipe import run_recipe


def main(
    *,
    corpora: Path = Path("recipes/configs/gpt2_tiny_en.yaml"),
    folder: Path = Path("."),
    teacher: Path | None = None,
    epochs: PositiveInt = 40,
    decay_epochs: NonNegativeInt = 10,
    epoch_steps: Annotated[int, at_least(2)] = 250,
    max_tokens: PositiveInt = 4096,
    vocabulary_size: Annotated[int, at_least(257)] = 8192,
    num_layers: PositiveInt = 4,
    num_heads: PositiveInt = 4,
    hidden_dim: PositiveInt = 256,
    context: Annotated[int, at_least(3)] = 256,
    learning_rate: PositiveFloat = 2e-3,
    dropout: DropoutRate = 0.1,
    seed: Seed = 0,
    out: Path = Path("runs/gpt2_tiny_en"),
):
    """Read, train a vocabulary, ask the teacher, build, fit, evaluate, save.

    Args:
        corpora: YAML list of corpora, see `kftune.data.PretrainingCorpus`.
        folder: where their files are.
        teacher: preset folder of a classifier, or nothing.
        epochs: of `epoch_steps` each; after each one is a backup and a scoring.
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
        out: folder for vocabulary, backups, history.csv, results.json and preset/.
    """
    settings = dict(locals())
    kftune.training.open_run(out, settings, may_differ=["epochs", "decay_epochs"])
    kftune.training.use_compilation_cache()
    keras.utils.set_random_seed(seed)

    plans = kftune.data.load_corpora(corpora)
    passages = kftune.data.read_pretraining_corpora(plans, folder)
    vocabulary = out / "vocabulary"
    if not (vocabulary / "merges.txt").exists():
        texts = passages.filter(lambda row: not row["validation"])["text"]
        kftune.models.train_gpt2_tokenizer(texts, vocabulary, vocabulary_size)
    tokenizer = keras_hub.tokenizers.GPT2Tokenizer(
        str(vocabulary / "vocabulary.json"), str(vocabulary / "merges.txt")
    )
    bpe = kftune.models.fast_tokenizer(tokenizer)
    token_rows = [row.ids for row in bpe.encode_batch_fast(passages["text"])]

    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=vocabulary_size,
        num_layers=num_layers,
        num_heads=num_heads,
        hidden_dim=hidden_dim,
        intermediate_dim=4 * hidden_dim,
        max_sequence_length=context,
        dropout=0.0,
    )
    answers = None
    if teacher is not None:
        classifier = kftune.models.TextClassifier.from_preset(teacher)
        asked = kftune.training.Teacher(classifier, memory=out / "answers")
        alone = np.unique(kftune.training.passages_alone(passages, plans))
        answers = asked.ask(passages[alone]["text"])
        vectors = asked.ask(bpe.decode_batch([[i] for i in range(vocabulary_size)]))
        backbone.token_embedding.embeddings.assign(
            kftune.training.embeddings_from_teacher(vectors["embedding"], hidden_dim)
        )
    model = kftune.models.gpt2_pretrainer(
        backbone, None if answers is None else answers["embedding"].shape[1]
    )
    schedule = kftune.training.WarmupStableDecay(
        learning_rate,
        total_steps=epochs * epoch_steps,
        warmup_steps=epoch_steps,
        decay_steps=decay_epochs * epoch_steps,
    )
    optimizer = keras.optimizers.Muon(schedule, adam_beta_2=0.98, global_clipnorm=1.0)
    kftune.models.compile_pretrainer(
        model,
        kftune.training.spare_bias_and_norm(optimizer, model),
        jit_compile=kftune.training.choose_jit_compile(),
    )

    rows = kftune.training.PretrainingRows(
        passages,
        plans,
        token_rows,
        tokenizer.end_token_id,
        answers,
        context=context,
        max_tokens=max_tokens,
    )
    data = kftune.data.EndlessBatches(rows.cycle, epoch_steps)
    held_out = {plan.name: rows.held_out(plan.name) for plan in plans}

    def score(model):
        return {
            name: kftune.evaluation.perplexity(model, batches)
            for name, batches in held_out.items()
            if batches is not None
        }

    model.fit(
        data,
        epochs=epochs,
        shuffle=False,
        callbacks=[
            kftune.training.DataPosition(data),
            kftune.training.FirstStepTime(),
            kftune.training.ScoreCallback(score, prefix="perplexity_"),
            kftune.training.TokensPerSecond(data),
            keras.callbacks.CSVLogger(out / "history.csv", append=True),
            keras.callbacks.BackupAndRestore(
                out / "backup", double_checkpoint=True, delete_checkpoint=False
            ),
        ],
    )
    kftune.models.save_float16_preset(backbone, tokenizer, out / "preset", dropout)
    kftune.evaluation.write_results(
        out / "results.json", settings=settings, perplexity=score(model)
    )


if __name__ == "__main__":
    run_recipe(main)
