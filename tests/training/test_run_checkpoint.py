import re
import shutil

import keras
import numpy as np
import pytest
from dropout_run import (
    LENGTHS,
    ROWS,
    StoppedError,
    Stopping,
    make_model,
    run,
    state_of,
)

from kftune.data import EndlessBatches, LengthBucketed
from kftune.training import DataPosition, RunCheckpoint
from kftune.training.checkpoint_folder import CheckpointFolder

pytestmark = pytest.mark.backend


def traces(folder, **options):
    """All that must be the same to the bit when a run was stopped."""
    model, checkpoint, number = run(folder, **options)
    return {
        **state_of(model),
        "epochs": checkpoint.epochs,
        "history": checkpoint.history,
        "history.csv": (folder / "history.csv").read_bytes(),
        "averaged": sorted(path.name for path in (folder / "epochs").iterdir()),
        "next of Python's numbers": number,
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return traces(tmp_path_factory.mktemp("whole"))


def assert_as_whole(whole, resumed):
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        np.testing.assert_equal(resumed[name], value, name)


def stop(folder, epoch, step, **options):
    with pytest.raises(StoppedError):
        run(folder, (epoch, step), **options)


def test_a_run_has_all_that_can_be_forgotten(whole):
    """It ends early, by patience, with a lower rate and repeated scores."""
    assert whole["epochs"] == [0, 1, 2, 3]
    rates, scores = (whole["history"][n] for n in ("learning_rate", "val_score"))
    assert rates[0] > rates[-1]
    assert scores[1] == scores[2] != scores[3]
    assert len(whole["averaged"]) == 4  # two epochs, their scores and their mean


@pytest.mark.long
@pytest.mark.parametrize("step", ["begin", 3, "end"])
@pytest.mark.parametrize("save_freq", ["epoch", 2])
def test_a_stopped_training_ends_as_an_unbroken_one(whole, step, save_freq, tmp_path):
    for epoch in (1, 3):
        stop(tmp_path, epoch, step, save_freq=save_freq)
    newest = CheckpointFolder(tmp_path / "checkpoints").newest()
    left = {"begin": 0, 3: 2, "end": 4}[step] if save_freq == 2 else 0
    assert newest.name == f"epoch-000003-step-{left:09d}"
    assert_as_whole(whole, traces(tmp_path, save_freq=save_freq))


@pytest.mark.long
def test_a_training_that_was_done_trains_nothing(whole, tmp_path):
    traces(tmp_path)
    again = RunCheckpoint(tmp_path / "checkpoints")
    assert again.stopped
    assert list(again.ranges(9)) == [(9, 9)]
    resumed = traces(tmp_path)
    # Restoring the best weights comes after the last checkpoint, in both.
    assert_as_whole(whole, resumed)


@pytest.mark.long
def test_a_damaged_checkpoint_costs_no_more_than_its_epoch(whole, tmp_path):
    stop(tmp_path, 3, "begin")
    path = CheckpointFolder(tmp_path / "checkpoints").newest() / "variables.npz"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.warns(UserWarning, match="epoch-000003.* is damaged"):
        resumed = traces(tmp_path)
    assert_as_whole(whole, resumed)


def fit(folder, model=None, callbacks=(), *, data=None, begin=0, epochs=1, **options):
    data = data or LengthBucketed(ROWS, LENGTHS, batch_size=4)
    checkpoint = RunCheckpoint(folder, callbacks, data, **options)
    (model or make_model()).fit(
        data,
        initial_epoch=begin,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[DataPosition(data), *callbacks, checkpoint],
    )
    return checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Checkpoints of one epoch, which no test changes."""
    folder = tmp_path_factory.mktemp("one_epoch")
    fit(folder, callbacks=[keras.callbacks.EarlyStopping("loss")])
    return folder


def test_seconds_and_history_add_up(folder, tmp_path):
    first = RunCheckpoint(folder)
    assert (first.epoch, first.step, first.stopped) == (1, 0, False)
    assert first.seconds > 0
    assert list(first.ranges(3)) == [(1, 3)]
    assert list(first.ranges(1)) == [(1, 1)]
    shutil.copytree(folder, tmp_path / "copy")
    callbacks = [keras.callbacks.EarlyStopping("loss")]
    second = fit(tmp_path / "copy", callbacks=callbacks, begin=1, epochs=2)
    assert second.seconds > first.seconds
    assert RunCheckpoint(tmp_path / "copy").seconds == second.seconds
    assert second.epochs == [0, 1]
    assert len(second.history["loss"]) == 2


def test_fewer_epochs_than_a_run_has_begun_train_nothing(tmp_path):
    files = CheckpointFolder(tmp_path)
    state = {"stopped": False, "epochs": [], "history": {}, "seconds": 0.0}
    files.write((5, 2), {}, state)
    again = RunCheckpoint(tmp_path)
    assert list(again.ranges(6)) == [(5, 6), (5, 6)]
    assert list(again.ranges(3)) == [(3, 3)]


def test_it_tells_which_epoch_fit_must_begin_with(folder):
    callbacks = [keras.callbacks.EarlyStopping("loss")]
    with pytest.raises(ValueError, match=r"go on in epoch 1: .* Received: 0"):
        fit(folder, callbacks=callbacks)


def test_other_callbacks_are_refused(folder):
    message = re.escape("in their order: ['EarlyStopping']. Received: []")
    with pytest.raises(ValueError, match=message):
        fit(folder, begin=1, epochs=2)


def test_other_data_are_refused(folder):
    data = LengthBucketed(ROWS[1:], LENGTHS[1:], batch_size=4)
    with pytest.raises(
        ValueError, match="other data. .*; rows: expected 24, received 23; "
    ):
        RunCheckpoint(folder, data=data)


def test_other_targets_of_the_same_rows_are_refused(folder):
    data = LengthBucketed(ROWS, LENGTHS + 1, batch_size=4)
    with pytest.raises(ValueError, match="other data. content: expected '.*received"):
        RunCheckpoint(folder, data=data)


@pytest.mark.long
@pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="others make metrics before a step"
)
def test_metrics_are_restored_whatever_lengths_are_left(tmp_path):
    """TensorFlow would take one batch's length for that of all."""

    rows = [[1 + i % 5] * (1 + 6 * (i % 7)) for i in range(48)]
    lengths = np.array([[len(row) / 8] for row in rows])

    def data():
        return LengthBucketed(rows, lengths, batch_size=4, seed=1)

    def train(data, stop):
        model = make_model()
        model.compile("adam", "mse", metrics=["mae"])
        checkpoint = RunCheckpoint(tmp_path, [], data, save_freq=1)
        for begin, end in checkpoint.ranges(2):
            model.fit(
                data,
                initial_epoch=begin,
                epochs=end,
                shuffle=False,
                verbose=0,
                callbacks=[DataPosition(data), Stopping(*stop), checkpoint],
            )
        return checkpoint.history

    now, then = ([length for length, _ in data().plan_epoch(e)] for e in (0, 1))
    left = [set(now[step : step + 2]) for step in range(1, len(now))]
    step = next(i for i, x in enumerate(left, 1) if len(x) == 1 and then[0] not in x)
    with pytest.raises(StoppedError):
        train(data(), (0, step + 1))
    resumed = train(data(), (None, None))
    shutil.rmtree(tmp_path)
    np.testing.assert_equal(resumed, train(data(), (None, None)))


def test_another_model_is_refused(folder):
    keras.utils.set_random_seed(0)
    model = make_model()
    head = keras.layers.Dense(2)(model.layers[-2].output)
    other = keras.Model(model.inputs, head)
    other.compile("sgd", "mse", run_eagerly=True, jit_compile=False)
    callbacks = [keras.callbacks.EarlyStopping("loss")]
    message = r"Received another: model/\d+: \[.*\[4, 1\], 'float32'\] was saved, the "
    message += r"model has \[.*\[4, 2\], 'float32'\]"
    with pytest.raises(ValueError, match=message):
        fit(folder, other, callbacks, begin=1, epochs=2)


def test_another_backend_is_refused(folder, monkeypatch):
    monkeypatch.setattr("keras.config.backend", lambda: "mxnet")
    with pytest.raises(ValueError, match="Received: 'mxnet'. Set KERAS_BACKEND="):
        RunCheckpoint(folder).on_train_begin()


@pytest.mark.parametrize("save_freq", [0, 1.5, "step"])
def test_a_frequency_without_sense_is_refused(save_freq, tmp_path):
    with pytest.raises(ValueError, match=re.escape(f"Received: {save_freq!r}")):
        RunCheckpoint(tmp_path, save_freq=save_freq)


def test_steps_are_counted_of_data_with_a_position_only(tmp_path):
    with pytest.raises(ValueError, match="Received: save_freq=5, data=None"):
        RunCheckpoint(tmp_path, save_freq=5)


def test_weights_that_are_no_numbers_are_not_written(tmp_path):
    model = make_model()
    checkpoint = fit(tmp_path, model)
    kernel = model.layers[-1].kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(FloatingPointError, match="NaN or infinity in .*kernel") as told:
        checkpoint.on_epoch_end(1)
    assert str(tmp_path) in str(told.value)
    assert RunCheckpoint(tmp_path).epoch == 1


def test_batches_without_a_position_go_on_by_the_number_of_the_epoch(tmp_path):
    def cycle(number):
        return LengthBucketed(ROWS, LENGTHS, batch_size=4, seed=number)

    def train(folder, *ranges):
        for begin, end in ranges:
            model, data = make_model(), EndlessBatches(cycle, 4)
            checkpoint = RunCheckpoint(folder)
            assert list(checkpoint.ranges(end)) == [(begin, end)]
            model.fit(
                data,
                initial_epoch=begin,
                epochs=end,
                verbose=0,
                shuffle=False,
                callbacks=[DataPosition(data), checkpoint],
            )
        return state_of(model)

    whole = train(tmp_path / "whole", (0, 3))
    resumed = train(tmp_path / "resumed", (0, 1), (1, 3))
    # The end of a fit writes the moving averages over the weights, after a checkpoint.
    for name, value in whole.items():
        np.testing.assert_array_equal(resumed[name], value, name)
