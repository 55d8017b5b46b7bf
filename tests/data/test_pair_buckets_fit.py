"""`fit` and `evaluate` of an encoder-decoder over PairBuckets."""

import keras
import numpy as np
import pytest

from kftune.data import PairBuckets
from kftune.models import TransformerBackbone, TransformerSeq2SeqLM

pytestmark = pytest.mark.backend
BOUNDARIES = ((6, 8), (12, 8), (14, 16))


def token_rows(count=29):
    rng = np.random.default_rng(5)
    sources = [rng.integers(3, 20, n) for n in rng.integers(1, 15, count)]
    targets = [rng.integers(3, 20, n) for n in rng.integers(2, 18, count)]
    return sources, targets


def make_data(count=29, **changes):
    settings = {"batch_size": 4, "boundaries": BOUNDARIES, **changes}
    return PairBuckets(*token_rows(count), **settings)


class Shapes(keras.layers.Layer):
    """Adds the mean of the source to the target; notes each shape it is traced with."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def call(self, source, target):
        self.shapes.append((*source.shape[:2], target.shape[1]))
        return target + keras.ops.mean(source, axis=1, keepdims=True)


def make_task():
    keras.utils.set_random_seed(1)
    backbone = TransformerBackbone(
        vocabulary_size=20,
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        dropout=0,
        max_sequence_length=20,
    )
    task = TransformerSeq2SeqLM(backbone)
    # XLA would take longer than the training on TensorFlow.
    jit_compile = "auto" if keras.config.backend() == "jax" else False
    task.compile(optimizer=keras.optimizers.Adam(0.02), jit_compile=jit_compile)
    return task


def log_probability(task, source, target):
    """Of the tokens of a target after its first, of one pair without padding."""
    x = {
        "encoder_token_ids": source[None],
        "encoder_padding_mask": np.ones((1, len(source)), bool),
        "decoder_token_ids": target[None, :-1],
        "decoder_padding_mask": np.ones((1, len(target) - 1), bool),
    }
    logits = keras.ops.convert_to_numpy(task(x))[0].astype("float64")
    logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return logits[np.arange(len(target) - 1), target[1:]].sum()


def test_neither_padding_nor_repeated_pairs_are_in_the_loss():
    task, data = make_task(), make_data(5)
    sources, targets = token_rows(5)
    assert [len(rows) for _, rows in data._plan].count(1) == 1
    for batch, (_, rows) in zip(data, data._plan, strict=True):
        expected = -sum(log_probability(task, sources[i], targets[i]) for i in rows)
        expected /= sum(len(targets[i]) - 1 for i in rows)
        loss = task.test_on_batch(*batch, return_dict=True)["loss"]
        assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.long
def test_fit_learns_from_all_buckets():
    task = make_task()
    history = task.fit(make_data(), epochs=2, verbose=0).history
    assert history["loss"][1] < history["loss"][0]
    assert int(task.optimizer.iterations) == 16


def test_no_more_shapes_are_traced_than_there_are_buckets():
    names = ("encoder_token_ids", "decoder_token_ids")
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in names}
    masks = [name.replace("token_ids", "padding_mask") for name in names]
    inputs |= {name: keras.Input((None,), dtype="bool", name=name) for name in masks}
    spy = Shapes()
    source, target = (keras.layers.Embedding(20, 4)(inputs[name]) for name in names)
    hidden = spy(source, target)
    model = keras.Model(inputs, keras.layers.Dense(20)(hidden))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    spy.shapes.clear()
    model.fit(make_data(), epochs=3, verbose=0)
    traced = set(spy.shapes) - {(None, None, None)}
    if keras.config.backend() == "tensorflow":
        # One trace serves all; XLA compiles it for each shape.
        assert traced == set()
    else:
        assert traced == {(4, *lengths) for lengths in BOUNDARIES}
