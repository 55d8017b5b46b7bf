"""`fit`, `evaluate` and `predict` over LengthBucketed, whole and resumed."""

import keras
import numpy as np
import pytest

from kftune.data.length_bucketed import LengthBucketed
from kftune.training.data_position import DataPosition

pytestmark = pytest.mark.backend


class MeanOfReal(keras.layers.Layer):
    """Mean over the real positions; notes every shape it is traced with."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.shapes = []

    def call(self, hidden, padding_mask):
        self.shapes.append(tuple(hidden.shape))
        mask = keras.ops.cast(padding_mask, hidden.dtype)[..., None]
        return keras.ops.sum(hidden * mask, 1) / keras.ops.sum(mask, 1)


def make_model(**compile_arguments):
    keras.utils.set_random_seed(1)
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.Input((None,), dtype="bool", name="padding_mask")
    hidden = keras.layers.Embedding(20, 4)(token_ids)
    pooled = MeanOfReal(name="pool")(hidden, padding_mask=mask)
    model = keras.Model(
        {"token_ids": token_ids, "padding_mask": mask}, keras.layers.Dense(2)(pooled)
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss, **compile_arguments)
    return model


@pytest.mark.parametrize(("shuffle", "jit_compile"), [(True, "auto"), (False, False)])
def test_fit_learns_from_all_buckets_with_validation(shuffle, jit_compile, make_data):
    model = make_model(jit_compile=jit_compile, weighted_metrics=["accuracy"])
    history = model.fit(
        make_data(),
        validation_data=make_data(shuffle=False),
        epochs=2,
        shuffle=shuffle,
        verbose=0,
    ).history
    assert history["loss"][1] < history["loss"][0]
    assert np.isfinite(history["val_loss"]).all()
    assert int(model.optimizer.iterations) == 16


def test_evaluate_and_predict_agree_with_rows_one_by_one(make_rows, make_data):
    model = make_model(metrics=["accuracy"])
    data = make_data(shuffle=False)
    logits = data.restore_order(model.predict(data, verbose=0))
    expected = np.concatenate(
        [
            model.predict_on_batch(
                {"token_ids": row[None], "padding_mask": np.ones((1, len(row)), bool)}
            )
            for row in make_rows()
        ]
    )
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    scores = model.evaluate(data, verbose=0, return_dict=True)
    accuracy = np.mean(expected.argmax(-1) == np.arange(61) % 2)
    assert scores["accuracy"] == pytest.approx(accuracy, abs=1e-6)


def test_rows_of_one_length_train():
    model = make_model()
    data = LengthBucketed([[1, 2, 3]] * 9, [0, 1, 0] * 3, batch_size=4)
    model.fit(data, epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == 6


def test_no_more_shapes_are_traced_than_there_are(make_data):
    model = make_model()
    traced = model.get_layer("pool").shapes
    traced.clear()
    model.fit(make_data(), epochs=3, verbose=0)
    shapes = {(8, 8), (8, 16), (8, 24), (5, 24)}
    if keras.config.backend() == "tensorflow":
        # One trace serves all; XLA compiles it for each shape.
        assert {shape[:2] for shape in traced} == {(None, None)}
    else:
        # JAX traces each shape; PyTorch, which compiles nothing, runs each step.
        assert {shape[:2] for shape in traced} - {(None, None)} == shapes
    if keras.config.backend() == "jax":
        assert len(traced) <= len(shapes) + 1


class Stop(keras.callbacks.Callback):
    """Stops after some batches of epoch 1 and keeps weights and position."""

    def __init__(self, data, batches):
        super().__init__()
        self.data, self.batches = data, batches

    def on_train_batch_end(self, batch, logs=None):
        if self.data.epoch == 1 and batch == self.batches - 1:
            self.weights = self.model.get_weights()
            self.state = self.data.state()
            self.model.stop_training = True


def train(model, data, *callbacks, epochs=3, initial_epoch=0):
    model.fit(
        data,
        epochs=epochs,
        initial_epoch=initial_epoch,
        shuffle=False,
        verbose=0,
        callbacks=[DataPosition(data), *callbacks],
    )
    return model


@pytest.mark.parametrize("batches", [3, 7])
def test_training_resumed_in_an_epoch_equals_training_in_one_go(batches, make_data):
    whole = train(make_model(), make_data())
    data = make_data()
    stop = Stop(data, batches)
    train(make_model(), data, stop)
    assert (stop.state["epoch"], stop.state["batch"]) == (1, batches)

    resumed, data = make_model(), make_data()
    resumed.set_weights(stop.weights)
    data.restore(stop.state)
    train(resumed, data, initial_epoch=1, epochs=2)
    assert int(resumed.optimizer.iterations) == 8 - batches
    train(resumed, data, initial_epoch=2)
    assert int(resumed.optimizer.iterations) == 16 - batches
    for expected, received in zip(
        whole.get_weights(), resumed.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(expected, received)


@pytest.mark.long
@pytest.mark.parametrize("batch", range(8))
def test_any_restored_position_fits(batch, make_data):
    data = make_data(boundaries=(4, 24))
    data.mark_trained(batch)
    data.restore(data.state())
    model = train(make_model(jit_compile=False), data, epochs=1)
    assert int(model.optimizer.iterations) == 8 - batch
