import warnings

import keras
import numpy as np
import pytest

from kftune.data import LengthBucketed
from kftune.training import (
    SampleCallback,
    ScoreCallback,
    TokensPerSecond,
    close_run,
    fit_run,
    open_run,
    overwriting,
    read_history,
)
from kftune.tuning import ScaledRates

pytestmark = pytest.mark.backend

ROWS = [[1] * (1 + i % 7) for i in range(24)]


class StoppedError(Exception):
    """Stands for a kill."""


class Stopping(LengthBucketed):
    """Ends the process, so to speak, before a given epoch."""

    def __init__(self, *args, stop_in, **kwargs):
        self.stop_in = stop_in
        super().__init__(*args, **kwargs)

    def begin_epoch(self, epoch):
        if epoch == self.stop_in:
            raise StoppedError
        super().begin_epoch(epoch)


class Length(keras.layers.Layer):
    """The number of real tokens of each row, over 8."""

    def call(self, mask):
        mask = keras.ops.cast(mask, "float32")
        return keras.ops.sum(mask, axis=-1, keepdims=True) / 8


def make_model(rate):
    keras.utils.set_random_seed(0)
    inputs = {
        "token_ids": keras.Input((None,), dtype="int32", name="token_ids"),
        "padding_mask": keras.Input((None,), dtype="bool", name="padding_mask"),
    }
    length = Length()(inputs["padding_mask"])
    model = keras.Model(inputs, keras.layers.Dense(1)(length))
    model.compile(keras.optimizers.SGD(rate), "mse", jit_compile=False)
    return model


def make_data():
    lengths = np.array([[len(row) / 8] for row in ROWS], "float32")
    return LengthBucketed(ROWS, lengths, batch_size=6)


def run(folder, rate, epochs, stop_in=None, **options):
    """Learns the length of each row; with a rate of 0.85 it gets ever worse."""
    model = make_model(rate)
    lengths = np.array([[len(row) / 8] for row in ROWS], "float32")
    train = Stopping(ROWS, lengths, batch_size=6, stop_in=stop_in)
    validation = LengthBucketed(ROWS, lengths, batch_size=6, shuffle=False)
    open_run(folder, {"rate": rate})
    settings = {"epochs": epochs, "monitor": "val_loss", "mode": "min", **options}
    history, seconds = fit_run(model, train, validation, folder, **settings)
    return model.get_weights(), len(history.epoch), seconds


def test_it_ends_with_the_weights_of_the_best_epoch(tmp_path):
    once, _, _ = run(tmp_path / "once", rate=0.85, epochs=1)
    weights, epochs, seconds = run(tmp_path / "worse", rate=0.85, epochs=5)
    losses = read_history(tmp_path / "worse")["val_loss"]
    # It stops after two epochs without progress.
    assert len(losses) == epochs == 3
    assert losses[0] == min(losses) < losses[-1]
    for expected, received in zip(once, weights, strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-5)
    assert 0 < seconds["first_step"] <= seconds["fit"]


def test_a_stopped_run_ends_as_an_unbroken_one(tmp_path):
    whole, _, _ = run(tmp_path / "whole", rate=0.1, epochs=4)
    with pytest.raises(StoppedError):
        run(tmp_path / "broken", rate=0.1, epochs=4, stop_in=2)
    resumed, epochs, _ = run(tmp_path / "broken", rate=0.1, epochs=4)
    assert epochs == 4
    for expected, received in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(received, expected)
    files = [tmp_path / name / "history.csv" for name in ("whole", "broken")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_training_that_was_done_is_not_repeated(tmp_path):
    """Killed after `fit`, while the recipe evaluated; patience had ended it early."""
    weights, epochs, seconds = run(tmp_path, rate=0.85, epochs=5)
    again, still, same = run(tmp_path, rate=0.85, epochs=5, stop_in=epochs)
    assert still == epochs == 3
    assert same == {"first_step": None, "fit": seconds["fit"]}
    for expected, received in zip(weights, again, strict=True):
        np.testing.assert_array_equal(received, expected)


def test_overwriting_begins_anew(tmp_path):
    run(tmp_path, rate=0.1, epochs=1)
    with overwriting():
        assert run(tmp_path, rate=0.2, epochs=2)[1] == 2
    assert len(read_history(tmp_path)["loss"]) == 2
    close_run(tmp_path)
    assert not (tmp_path / "checkpoints").exists()


def test_a_training_that_diverges_leaves_the_best_weights(tmp_path):
    with pytest.raises(FloatingPointError, match="Received .* Rows of this step: "):
        run(tmp_path, rate=0.9, epochs=30, patience=30)
    assert (tmp_path / "best.weights.h5").exists()
    with pytest.raises(ValueError, match=r"rate: expected 0\.9, received 0\.1"):
        open_run(tmp_path, {"rate": 0.1})


def test_it_warns_of_steps_that_no_checkpoint_holds(tmp_path):
    """As after Ctrl-C in the first epoch, in the same notebook."""
    train = make_data()
    settings = {"epochs": 1, "monitor": "loss", "mode": "min"}
    model = make_model(0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fit_run(model, train, train, tmp_path / "fresh", **settings)
        fit_run(model, train, train, tmp_path / "fresh", **settings)
    with pytest.warns(UserWarning, match="taken 4 steps that no checkpoint"):
        fit_run(model, train, train, tmp_path / "other", **settings)


def test_steps_inside_an_epoch_are_kept(tmp_path):
    whole, _, _ = run(tmp_path / "whole", rate=0.1, epochs=2)

    def die(batch, logs):
        if batch == 2:
            raise StoppedError

    dying = keras.callbacks.LambdaCallback(on_train_batch_end=die)
    options = {"rate": 0.1, "epochs": 2, "save_freq": 2}
    with pytest.raises(StoppedError):
        run(tmp_path / "broken", callbacks=[dying], **options)
    name = "epoch-000000-step-000000002"
    assert [p.name for p in (tmp_path / "broken/checkpoints").iterdir()] == [name]
    resumed, epochs, _ = run(tmp_path / "broken", **options)
    assert epochs == 2
    for expected, received in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(received, expected)


def test_a_score_of_ones_own_tells_the_best_epoch(tmp_path):
    scores, weights = iter([0.3, 0.9, 0.4, 0.5, 0.1]), []

    def score(model):
        weights.append(model.get_weights())
        return {"bleu": next(scores)}

    model = make_model(0.1)
    train = make_data()
    open_run(tmp_path, {})
    callbacks = [ScoreCallback(score)]
    options = {"epochs": 5, "monitor": "val_bleu", "callbacks": callbacks}
    fit_run(model, train, train, tmp_path, **options)
    assert read_history(tmp_path)["val_bleu"] == [0.3, 0.9, 0.4, 0.5]
    for expected, received in zip(weights[1], model.get_weights(), strict=True):
        np.testing.assert_array_equal(received, expected)
    assert (weights[1][0] != weights[3][0]).any()


@pytest.mark.long
def test_it_ends_with_the_mean_of_the_best_epochs(tmp_path):
    """Each epoch of a falling loss is the best so far: the last two are averaged."""
    alone = [run(tmp_path / f"{n}", rate=0.1, epochs=n)[0] for n in (3, 4)]
    averaged, _, _ = run(tmp_path / "mean", rate=0.1, epochs=4, averaged=2)
    losses = read_history(tmp_path / "mean")["val_loss"]
    assert losses == sorted(losses, reverse=True)
    for third, fourth, received in zip(*alone, averaged, strict=True):
        np.testing.assert_allclose(received, (third + fourth) / 2, rtol=1e-5)
    with pytest.raises(StoppedError):
        run(tmp_path / "broken", rate=0.1, epochs=4, stop_in=3, averaged=2)
    resumed, _, _ = run(tmp_path / "broken", rate=0.1, epochs=4, averaged=2)
    for expected, received in zip(averaged, resumed, strict=True):
        np.testing.assert_array_equal(received, expected)
    with pytest.raises(ValueError, match="keep at least 1 epoch"):
        run(tmp_path / "none", rate=0.1, epochs=1, averaged=0)


@pytest.mark.parametrize("scaled", [False, True])
def test_a_plateau_callback_beside_a_schedule_is_refused_at_once(tmp_path, scaled):
    plateau = keras.callbacks.ReduceLROnPlateau("loss")
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    model = make_model(0.1)
    optimizer = keras.optimizers.SGD(rate)
    if scaled:
        optimizer = ScaledRates(optimizer, {".*bias": 0.5})
    model.compile(optimizer, "mse", jit_compile=False)
    name = type(optimizer).__name__
    with pytest.raises(ValueError, match=f"Plateau can lower.*a schedule, in {name}"):
        fit_run(model, make_data(), [], tmp_path, epochs=1, callbacks=[plateau])


def test_a_plateau_callback_has_a_rate_to_lower(tmp_path):
    plateau = keras.callbacks.ReduceLROnPlateau("loss")
    model = make_model(0.1)
    optimizer = keras.optimizers.MultiOptimizer([keras.optimizers.SGD(0.1)])
    model.compile(optimizer, "mse", jit_compile=False)
    with pytest.raises(ValueError, match="Received: none, or .* in MultiOptimizer"):
        fit_run(model, make_data(), [], tmp_path, epochs=1, callbacks=[plateau])


def test_scores_that_are_repeated_are_no_lack_of_progress(tmp_path):
    callbacks = [ScoreCallback(lambda model: {"bleu": 1.0}, every=3)]
    model, train = make_model(0.1), make_data()
    options = {"epochs": 9, "monitor": "val_bleu", "callbacks": callbacks}
    with pytest.raises(ValueError, match="at least 3 epochs.*'val_bleu'. Received: 2"):
        fit_run(model, train, train, tmp_path / "refused", **options)
    assert not (tmp_path / "refused" / "best.weights.h5").exists()
    open_run(tmp_path, {})
    fit_run(make_model(0.1), train, train, tmp_path, **options, patience=3)
    assert read_history(tmp_path)["val_bleu"] == [1.0] * 4
    open_run(tmp_path / "other", {})
    loss = {"epochs": 1, "monitor": "val_loss", "mode": "min"}
    fit_run(make_model(0.1), train, train, tmp_path / "other", **{**options, **loss})


def test_a_plateau_callback_beside_a_float_is_taken(tmp_path):
    plateau = keras.callbacks.ReduceLROnPlateau("loss")
    _, epochs, _ = run(tmp_path, 0.1, 1, callbacks=[plateau])
    assert epochs == 1


def test_averages_are_refused_as_the_best_weights_would_replace_them(tmp_path):
    model = make_model(0.1)
    model.compile(keras.optimizers.SGD(0.1, use_ema=True), "mse")
    with pytest.raises(ValueError, match="without use_ema.*averaged=5"):
        fit_run(model, make_data(), [], tmp_path, epochs=1, monitor="val_loss")


@pytest.mark.parametrize(
    ("monitor", "mode", "right"),
    [
        ("val_loss", "max", "min"),
        ("perplexity", "max", "min"),
        ("val_mae", "max", "min"),
        ("val_mean_squared_error", "max", "min"),
        ("bleu", "min", "max"),
        ("val_f1_score", "min", "max"),
    ],
)
def test_the_worst_epoch_is_not_taken_for_the_best(tmp_path, monitor, mode, right):
    model, train = make_model(0.1), make_data()
    options = {"epochs": 1, "monitor": monitor, "mode": mode}
    with pytest.raises(ValueError, match=f"mode '{right}' for '{monitor}'. .*'{mode}'"):
        fit_run(model, train, train, tmp_path, **options)
    assert int(model.optimizer.iterations) == 0


def test_a_monitor_that_nothing_logs_costs_no_epoch(tmp_path):
    train = make_data()
    with pytest.raises(ValueError, match="validation data, for monitor='val_loss'"):
        fit_run(make_model(0.1), train, None, tmp_path, epochs=1, monitor="val_loss")
    model = make_model(0.1)
    with pytest.raises(ValueError, match=r"among \['loss'\].*Received: 'val_accuracy'"):
        fit_run(model, train, train, tmp_path, epochs=1)
    assert int(model.optimizer.iterations) <= 1


class Silent(keras.callbacks.Callback):
    """Overrides nothing that sees the logs of an epoch."""


@pytest.mark.parametrize(
    "callback",
    [
        SampleCallback(lambda model, texts: texts, ["a"]),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.LambdaCallback(on_train_begin=lambda logs: None),
        Silent(),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_callbacks_that_log_nothing_let_it_end_after_the_first_step(tmp_path, callback):
    model, train = make_model(0.1), make_data()
    options = {"epochs": 1, "monitor": "val_los", "callbacks": [callback]}
    with pytest.raises(ValueError, match="'val_los'. Did you mean 'val_loss'?"):
        fit_run(model, train, train, tmp_path, **options)
    assert int(model.optimizer.iterations) <= 1


class Logging(Silent):
    def on_epoch_end(self, epoch, logs=None):
        logs["val_own"] = epoch


@pytest.mark.long
@pytest.mark.parametrize(
    "callback",
    [
        Logging(),
        keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: logs.update(val_own=epoch)
        ),
        ScoreCallback(lambda model: {"own": 0.0}),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_what_callbacks_log_can_be_monitored(tmp_path, callback):
    model, train = make_model(0.1), make_data()
    callbacks = [keras.callbacks.TerminateOnNaN(), callback]
    options = {"epochs": 1, "callbacks": callbacks}
    history, _ = fit_run(model, train, train, tmp_path, monitor="val_own", **options)
    assert history.history["val_own"] == [0]
    with pytest.raises(ValueError, match=r"'val_own'\]. Received: 'val_on'. Did you m"):
        fit_run(
            make_model(0.1), train, train, tmp_path / "b", monitor="val_on", **options
        )


def test_a_speed_can_be_monitored(tmp_path):
    train = make_data()
    options = {"epochs": 1, "callbacks": [TokensPerSecond(train)]}
    monitor = "tokens_per_second"
    history, _ = fit_run(
        make_model(0.1), train, train, tmp_path, monitor=monitor, **options
    )
    assert monitor in history.history


@pytest.mark.parametrize("data", [(np.ones(2), np.ones(2)), None, iter([])])
def test_data_of_another_kind_are_told(tmp_path, data):
    kind = type(data).__name__
    with pytest.raises(TypeError, match=f"LengthBucketed or .*Received: {kind}"):
        fit_run(make_model(0.1), data, make_data(), tmp_path, epochs=1)
    assert not any(tmp_path.iterdir())


def test_a_model_that_is_not_compiled_is_told(tmp_path):
    compiled = make_model(0.1)
    model = keras.Model(compiled.inputs, compiled.outputs, name="new")
    with pytest.raises(ValueError, match="compiled .*'new' with compiled=False"):
        fit_run(model, make_data(), make_data(), tmp_path, epochs=1)
    assert not any(tmp_path.iterdir())
