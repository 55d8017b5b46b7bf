"""BLEU of what an encoder-decoder generates, in the logs of its own training."""

import keras
import numpy as np
import pytest
import sacrebleu

from kftune.evaluation import score_translations
from kftune.models import TransformerBackbone, TransformerSeq2SeqLM
from kftune.training import SampleCallback, ScoreCallback, SmoothedCrossentropy

END, LENGTH = 2, 8
SOURCES = np.array([[5, 6, 7, 8], [9, 8, 7, 6], [6, 9, 5, 7]], "int32")


def make_task():
    backbone = TransformerBackbone(
        12, 1, 2, 16, 32, dropout=0, max_sequence_length=LENGTH, normalize_first=True
    )
    task = TransformerSeq2SeqLM(backbone)
    task.compile(
        keras.optimizers.Adam(0.02),
        loss=SmoothedCrossentropy(0.1),
        sampler="greedy",
        jit_compile=keras.backend.backend() == "jax",
    )
    return task


def make_batch(targets):
    """Sources, and targets between a start and an end token."""
    token_ids = np.pad(targets, ((0, 0), (1, 1)), constant_values=END)
    features = {
        "encoder_token_ids": SOURCES,
        "encoder_padding_mask": np.ones_like(SOURCES),
        "decoder_token_ids": token_ids[:, :-1],
        "decoder_padding_mask": np.ones_like(token_ids[:, :-1]),
    }
    return features, token_ids[:, 1:]


def words(rows):
    """Tokens as words, up to the end token."""
    texts = [" ".join(f"w{token}" for token in row) for row in rows]
    return [text.split(f"w{END}")[0].strip() for text in texts]


def translate(task, sources=SOURCES):
    sources = np.asarray(sources)
    start = np.zeros((len(sources), LENGTH), "int32")
    start[:, 0] = END
    prompts = {
        "encoder_token_ids": sources,
        "encoder_padding_mask": np.ones_like(sources),
        "decoder_token_ids": start,
        "decoder_padding_mask": np.arange(LENGTH) < np.ones((len(sources), 1)),
    }
    token_ids = task.generate(prompts, stop_token_ids=[END])["decoder_token_ids"]
    return words(token_ids[:, 1:])


@pytest.mark.long
@pytest.mark.backend
def test_training_follows_and_keeps_the_best_bleu(tmp_path, capsys):
    targets = SOURCES[:, ::-1]
    references, outputs = words(targets), []

    def bleu(task):
        outputs.append(translate(task))
        return score_translations(outputs[-1], references, ["bleu"]).corpus

    best = tmp_path / "best.weights.h5"
    callbacks = [
        ScoreCallback(bleu),
        SampleCallback(translate, SOURCES, every=5),
        keras.callbacks.ModelCheckpoint(
            best, "val_bleu", mode="max", save_best_only=True, save_weights_only=True
        ),
        keras.callbacks.EarlyStopping("val_bleu", mode="max", patience=4),
    ]
    x, y = make_batch(targets)
    x = {name: np.tile(values, (40, 1)) for name, values in x.items()}
    task = make_task()
    history = task.fit(
        x, np.tile(y, (40, 1)), batch_size=3, epochs=30, callbacks=callbacks, verbose=0
    ).history
    expected = [sacrebleu.corpus_bleu(texts, [references]).score for texts in outputs]
    assert history["val_bleu"] == expected
    # It stops four epochs after the best one.
    assert len(expected) == expected.index(max(expected)) + 5 < 30
    assert min(expected) < 50 < max(expected)
    again = make_task()
    again.load_weights(best)
    assert translate(again) == outputs[expected.index(max(expected))]
    sample = outputs[4][0]
    assert (
        f"epoch 5\n  {SOURCES[0]}\n    {sample}\n  {SOURCES[1]}\n"
        in capsys.readouterr().out
    )
