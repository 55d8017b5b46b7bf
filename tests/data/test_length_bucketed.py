"""Batches, order and position of LengthBucketed, and `fit` on every backend."""

import itertools
import json

import keras
import numpy as np
import pytest

from kftune.data.length_bucketed import LengthBucketed
from kftune.training.data_position import DataPosition

BOUNDARIES = (8, 16, 24)


def make_rows(count=61, longest=24):
    rng = np.random.default_rng(7)
    return [rng.integers(1, 20, n) for n in rng.integers(1, longest + 1, count)]


def make_data(count=61, **kwargs):
    """Row i has the label i % 2 and the weight 1 + i / 64, which tells rows apart."""
    settings = {"batch_size": 8, "boundaries": BOUNDARIES, **kwargs}
    labels = np.arange(count) % 2
    weights = 1 + np.arange(count, dtype="float32") / 64
    return LengthBucketed(make_rows(count), labels, weights, **settings)


def row_numbers(weights):
    """Which rows have these weights."""
    return ((weights - 1) * 64).astype(int)


def rows_seen(data):
    """The row numbers, batch by batch."""
    return [row_numbers(batch[2]).tolist() for batch in data]


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


# === Order


def test_every_row_comes_once_an_epoch_in_another_order():
    data = make_data()
    epochs = []
    for _ in range(3):
        epochs.append(list(itertools.chain(*rows_seen(data))))
        data.on_epoch_end()
    assert all(sorted(epoch) == list(range(61)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_order_repeats_by_seed_and_epoch_alone():
    first, second = make_data(seed=3), make_data(seed=3)
    second.begin_epoch(4)
    second.begin_epoch(0)
    assert rows_seen(first) == rows_seen(second)
    assert rows_seen(first) != rows_seen(make_data(seed=4))


def test_without_shuffle_the_order_stays():
    data = make_data(shuffle=False)
    before = rows_seen(data)
    data.on_epoch_end()
    assert rows_seen(data) == before


def test_number_and_shapes_of_batches_are_those_of_every_epoch():
    data = make_data()
    shapes = []
    for _ in range(4):
        shapes.append(sorted(batch[0]["token_ids"].shape for batch in data))
        data.on_epoch_end()
    assert len(data) == data.num_batches == 8
    assert shapes[0] == shapes[1] == shapes[2] == shapes[3]
    assert len(set(shapes[0])) <= len(BOUNDARIES) + 1


@pytest.mark.parametrize("shuffle", [True, False])
def test_first_two_batches_differ_in_length_in_every_epoch(shuffle):
    data = make_data(shuffle=shuffle)
    for _ in range(30):
        lengths = [data[i][0]["token_ids"].shape[1] for i in (0, 1)]
        assert lengths[0] != lengths[1]
        data.on_epoch_end()


def test_batch_holds_its_rows_padded():
    rows, data = make_rows(), make_data(pad_token_id=19)
    for x, y, weight in data:
        numbers = row_numbers(weight)
        np.testing.assert_array_equal(y, numbers % 2)
        for ids, mask, number in zip(
            x["token_ids"], x["padding_mask"], numbers, strict=True
        ):
            np.testing.assert_array_equal(ids[mask], rows[number])
            assert mask.sum() == len(rows[number])
            assert (ids[~mask] == 19).all()


def test_padding_share_is_counted_over_the_batches():
    data = make_data()
    masks = [x["padding_mask"] for x, _, _ in data]
    real, padded = sum(m.sum() for m in masks), sum(m.size for m in masks)
    assert data.padding_share == pytest.approx(1 - real / padded)
    share = f"{1 - real / padded:.1%} padding"
    assert (
        str(data) == f"61 rows in 8 batches of 8, padded to 8, 16, 24 tokens: {share}"
    )


def test_drop_remainder_leaves_whole_batches():
    data = make_data(drop_remainder=True)
    assert [len(batch[1]) for batch in data] == [8] * 7


def test_batch_outside_the_epoch_is_an_error():
    with pytest.raises(IndexError, match="0 to 7. Received: 8"):
        make_data()[8]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size of 1 or more. Received: 0"),
        (
            {"batch_size": 99, "drop_remainder": True},
            "batch of 99 rows. Received 61 rows",
        ),
        ({"boundaries": [8]}, "at most 8 tokens.* Received up to 24"),
    ],
)
def test_settings_without_a_batch_are_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        make_data(**settings)


# === Outputs in the order of the rows


def test_restore_order_gives_each_row_its_output():
    data = make_data(shuffle=False)
    outputs = np.concatenate(rows_seen(data))
    assert outputs.tolist() != list(range(61))
    restored = data.restore_order({"a": outputs, "b": outputs[:, None] * 2})
    np.testing.assert_array_equal(restored["a"], np.arange(61))
    np.testing.assert_array_equal(restored["b"], np.arange(61)[:, None] * 2)


def test_restore_order_needs_an_order_and_all_rows():
    with pytest.raises(ValueError, match="shuffle=True"):
        make_data().restore_order(np.zeros(61))
    with pytest.raises(ValueError, match="drop_remainder=True"):
        make_data(shuffle=False, drop_remainder=True).restore_order(np.zeros(56))
    with pytest.raises(ValueError, match="one output a row, 61. Received: 60"):
        make_data(shuffle=False).restore_order(np.zeros(60))


# === Position


def test_restored_position_gives_the_rest_of_the_epoch():
    data = make_data()
    data.begin_epoch(2)
    whole = rows_seen(data)
    data.mark_trained(3)
    state = json.loads(json.dumps(data.state()))
    assert (state["epoch"], state["batch"]) == (2, 3)
    again = make_data()
    again.restore(state)
    assert again.state() == state
    again.begin_epoch(2)
    assert again.num_batches == 5
    assert rows_seen(again) == whole[3:]
    again.mark_trained(2)
    assert again.state()["batch"] == 5
    again.begin_epoch(3)
    assert again.num_batches == 8


def test_position_at_the_end_of_an_epoch_is_the_start_of_the_next():
    data = make_data()
    data.mark_trained(8)
    assert (data.state()["epoch"], data.state()["batch"]) == (1, 0)


def test_restore_lists_all_that_differs():
    state = make_data(seed=1).state()
    with pytest.raises(ValueError, match="other data") as error:
        make_data(count=60, seed=2).restore(state)
    assert "rows: expected 61, received 60" in str(error.value)
    assert "seed: expected 1, received 2" in str(error.value)
    assert "batch_size" not in str(error.value)


def test_restored_position_must_be_taken_up():
    data = make_data()
    data.begin_epoch(1)
    data.restore(data.state())
    with pytest.raises(ValueError, match="restored epoch 1.* Received: epoch=0"):
        data.begin_epoch(0)
    data.restore(data.state())
    data.on_epoch_begin()
    data.on_epoch_end()
    with pytest.raises(RuntimeError, match="DataPosition.* epoch 1, batch 0"):
        data.on_epoch_begin()


# === fit, evaluate and predict


@pytest.mark.backend
@pytest.mark.parametrize(("shuffle", "jit_compile"), [(True, "auto"), (False, False)])
def test_fit_learns_from_all_buckets_with_validation(shuffle, jit_compile):
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


@pytest.mark.backend
def test_evaluate_and_predict_agree_with_rows_one_by_one():
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


@pytest.mark.backend
def test_rows_of_one_length_train():
    model = make_model()
    data = LengthBucketed([[1, 2, 3]] * 9, [0, 1, 0] * 3, batch_size=4)
    model.fit(data, epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == 6


@pytest.mark.backend
def test_no_more_shapes_are_traced_than_there_are():
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


@pytest.mark.backend
@pytest.mark.parametrize("batches", [3, 7])
def test_training_resumed_in_an_epoch_equals_training_in_one_go(batches):
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


@pytest.mark.backend
@pytest.mark.parametrize("batch", range(8))
def test_any_restored_position_fits(batch):
    data = make_data(boundaries=(4, 24))
    data.mark_trained(batch)
    data.restore(data.state())
    model = train(make_model(jit_compile=False), data, epochs=1)
    assert int(model.optimizer.iterations) == 8 - batch
