"""Unfreezing in one `fit`: what changes when, and that all else goes on."""

import re

import keras
import numpy as np
import pytest

from kftune.models import attach_head
from kftune.tuning import GradualUnfreezing, freeze
from kftune.tuning.recompile import renew_optimizer

pytestmark = pytest.mark.backend

STEPS = 3  # an epoch: six rows in batches of two


def value(variable):
    return np.array(keras.ops.convert_to_numpy(variable))


def compile_(model, **options):
    """Compiles in the way that is quickest for a few steps."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    eagerly = keras.config.backend() == "tensorflow"
    optimizer = keras.optimizers.Adam(0.01)
    model.compile(optimizer, loss, run_eagerly=eagerly, **options)


def fit(model, batch, schedule, epochs, callbacks=(), **options):
    callbacks = [*callbacks, GradualUnfreezing(schedule)]
    options = {"batch_size": 2, "shuffle": False, "verbose": 0, **options}
    return model.fit(*batch, epochs=epochs, callbacks=callbacks, **options)


class Weights(keras.callbacks.Callback):
    """Keeps the weights at the end of each epoch, by path."""

    def on_train_begin(self, logs=None):
        self.epochs = [self.now()]

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(self.now())

    def now(self):
        return {weight.path: value(weight) for weight in self.model.weights}


SCHEDULE = {0: "backbone", 1: "all_but_last:1", 2: "nothing"}
# The first epoch in which each part is trained.
STARTS = {
    "head": 0,
    "transformer_layer_1": 1,
    "layer_norm": 1,
    "transformer_layer_0": 2,
    "token_embedding": 2,
    "position_embedding": 2,
}


@pytest.mark.long
def test_each_part_changes_from_its_epoch_on(classifier, batch):
    compile_(classifier, metrics=["accuracy"])
    weights = Weights()
    history = fit(
        classifier, batch, SCHEDULE, 3, [weights], validation_data=batch
    ).history
    assert len(history["val_accuracy"]) == len(history["accuracy"]) == 3
    for epoch, (before, after) in enumerate(
        zip(weights.epochs, weights.epochs[1:], strict=False)
    ):
        for path, was in before.items():
            # The softmax over keys does not see the bias of the keys: no gradient.
            if path.endswith("key/bias"):
                continue
            is_frozen = STARTS[path.split("/")[0]] > epoch
            assert np.array_equal(was, after[path]) == is_frozen, (epoch, path)
    assert int(classifier.optimizer.iterations) == 3 * STEPS
    assert classifier.freeze_policy == "nothing"


@pytest.mark.long
def test_the_tasks_of_kftune_unfreeze_with_dropout_off_in_what_is_frozen(gpt2, batch):
    task = attach_head(gpt2, 3)
    compile_(task)
    features = keras.Model(gpt2.inputs, gpt2.transformer_layers[0].output)

    class Random(keras.callbacks.Callback):
        """Whether the frozen block gives other features each time, by epoch."""

        def on_epoch_end(self, epoch, logs=None):
            twice = [value(features(batch[0], training=True)) for _ in range(2)]
            found.append(not np.array_equal(*twice))

    found = []
    fit(task, batch, {0: "backbone", 2: "nothing"}, 3, [Random()])
    assert found == [False, False, True]
    task.fit(*batch, verbose=0)  # The task finds no flags that it was not told of.


def linear(optimizer=None, **options):
    """Two dense layers, `(x W1) W2 + b`, and numbers to fit; a bias that is left."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, name="below"),
            keras.layers.Dense(2, name="head"),
        ],
        name="linear",
    )
    rng = np.random.default_rng(4)
    x = rng.normal(size=(8, 3)).astype("float32")
    y = rng.normal(size=(8, 2)).astype("float32")
    model.compile(optimizer or keras.optimizers.Adam(0.05, **options), "mse")
    return model, (x, y)


BELOW_LATER = {0: "regex:below", 2: "regex:below/bias"}


def numpy_adam(weights, data, epochs, starts, rate=0.05):
    """Adam in NumPy whose weights start at epochs of their own; one step an epoch."""
    x, y = data
    weights = {name: w.astype("float64") for name, w in weights.items()}
    moments = {name: [np.zeros_like(w)] * 2 for name, w in weights.items()}
    for epoch in range(epochs):
        hidden = x @ weights["below"]
        error = 2 * (hidden @ weights["head"] + weights["bias"] - y) / y.size
        gradients = {
            "below": x.T @ (error @ weights["head"].T),
            "head": hidden.T @ error,
            "bias": error.sum(0),
        }
        for name in [name for name in weights if epoch >= starts[name]]:
            first, second = moments[name]
            first = 0.9 * first + 0.1 * gradients[name]
            second = 0.999 * second + 0.001 * gradients[name] ** 2
            moments[name] = [first, second]
            unbiased = first / (1 - 0.9 ** (epoch + 1))
            scale = np.sqrt(second / (1 - 0.999 ** (epoch + 1))) + 1e-7
            weights[name] = weights[name] - rate * unbiased / scale
    return weights, moments


def test_moments_of_what_was_trained_go_on_as_in_numpy():
    model, data = linear()
    names = {
        "below": "linear/below/kernel",
        "head": "linear/head/kernel",
        "bias": "linear/head/bias",
    }
    start = {name: value(weight_of(model, path)) for name, path in names.items()}
    fit(model, data, BELOW_LATER, epochs=5, batch_size=8)
    starts = {"below": 2, "head": 0, "bias": 0}
    weights, moments = numpy_adam(start, data, 5, starts)
    for name, path in names.items():
        received = value(weight_of(model, path))
        np.testing.assert_allclose(received, weights[name], rtol=2e-4, atol=2e-5)
    slots = [value(v) for v in model.optimizer.variables if len(v.shape)]
    expected = [moment for name in names for moment in moments[name]]
    for received, moment in zip(slots, expected, strict=True):
        np.testing.assert_allclose(received, moment, rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize(("beta_2", "times"), [(0.999, 3.2), (0.98, 0.7)])
def test_the_first_step_of_what_is_unfrozen_late(beta_2, times):
    """What the class says of Adam, after so many steps that it corrects no bias."""
    model, data = linear(beta_2=beta_2)
    weights = Weights()
    model.optimizer.iterations.assign(20000)
    fit(model, data, BELOW_LATER, 3, [weights], batch_size=8)
    before, after = (weights.epochs[epoch]["linear/below/kernel"] for epoch in (2, 3))
    np.testing.assert_allclose(abs(after - before) / 0.05, times, rtol=0.02)


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.05, use_ema=True, global_clipnorm=1.0),
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "adafactor": lambda: keras.optimizers.Adafactor(0.05),
    "muon": lambda: keras.optimizers.Muon(0.05),
    "accumulating": lambda: keras.optimizers.AdamW(
        0.05, gradient_accumulation_steps=2, weight_decay=0.1
    ),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Nadam(0.05), 2.0**4, 2
    ),
    "several": lambda: keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(
            keras.optimizers.SGD(0.05, momentum=0.9),
            {"head/.*": keras.optimizers.Lion(0.05)},
        )
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_without_anything_to_unfreeze_every_bit_is_as_without_it(name):
    def run(*callbacks):
        model, data = linear(OPTIMIZERS[name]())
        freeze(model, "regex:below/bias")
        options = {"batch_size": 3, "epochs": 4, "verbose": 0, "shuffle": False}
        model.fit(*data, callbacks=[*callbacks], **options)
        return [value(v) for v in [*model.weights, *model.optimizer.variables]]

    class Renewing(keras.callbacks.Callback):
        """Makes another optimizer for the same weights, as a new policy would."""

        def on_epoch_begin(self, epoch, logs=None):
            renew_optimizer(self.model)

    without = run()
    for callback in (GradualUnfreezing(["regex:below/bias"]), Renewing()):
        for expected, received in zip(without, run(callback), strict=True):
            np.testing.assert_array_equal(received, expected)


def test_moving_averages_go_on_and_start_at_what_is_unfrozen():
    model, data = linear(use_ema=True, ema_momentum=0.5)
    weights = Weights()
    fit(model, data, BELOW_LATER, 4, [weights], batch_size=8)
    # Keras takes the first average after the first step, and writes averages over the
    # weights when fit ends.
    for path, first in (("linear/head/bias", 1), ("linear/below/kernel", 2)):
        average, *later = [epoch[path] for epoch in weights.epochs[first:]]
        for after in later:
            average = 0.5 * average + 0.5 * after
        received = value(weight_of(model, path))
        np.testing.assert_allclose(received, average, rtol=1e-5)


def weight_of(model, path):
    return next(weight for weight in model.weights if weight.path == path)


def test_schedules_and_other_callbacks_go_on(tmp_path):
    rates = keras.optimizers.schedules.PiecewiseConstantDecay([4], [0.1, 0.0])
    model, data = linear(keras.optimizers.Adam(rates))
    weights = Weights()
    save = keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}.weights.h5", save_weights_only=True
    )
    callbacks = [weights, save, keras.callbacks.EarlyStopping(patience=2)]
    options = {"batch_size": 8, "validation_data": data}
    history = fit(model, data, BELOW_LATER, 9, callbacks, **options)
    # Steps 0 to 4 learn, and two more epochs are waited for.
    assert len(history.epoch) == int(model.optimizer.iterations) == 7
    assert not np.array_equal(*(w["linear/head/bias"] for w in weights.epochs[4:6]))
    np.testing.assert_array_equal(*(w["linear/head/bias"] for w in weights.epochs[5:7]))
    for epoch in (1, 4):  # of which the optimizer had other slots, and as many
        model.load_weights(tmp_path / f"{epoch}.weights.h5")
        for weight in model.weights:
            expected = weights.epochs[epoch][weight.path]
            np.testing.assert_array_equal(value(weight), expected)


def test_a_rate_that_a_callback_set_stays():
    model, data = linear(keras.optimizers.SGD(0.5))
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    history = fit(model, data, BELOW_LATER, 3, [scheduler])
    assert history.history["learning_rate"] == pytest.approx([0.25, 0.125, 0.0625])


def test_apply_makes_ready_for_what_was_saved(tmp_path):
    (whole, data), (broken, _), (resumed, _) = linear(), linear(), linear()
    fit(whole, data, BELOW_LATER, 5)
    fit(broken, data, BELOW_LATER, 3)
    broken.save_weights(tmp_path / "three.weights.h5")
    GradualUnfreezing(BELOW_LATER).apply(resumed, 2)
    resumed.load_weights(tmp_path / "three.weights.h5")
    assert int(resumed.optimizer.iterations) == 3 * 4
    fit(resumed, data, BELOW_LATER, 5, initial_epoch=3)
    for expected, received in zip(whole.weights, resumed.weights, strict=True):
        np.testing.assert_array_equal(value(received), value(expected))


def test_all_that_is_wrong_with_a_schedule_is_told_before_training(classifier, batch):
    compile_(classifier)
    before = [value(weight) for weight in classifier.weights]
    schedule = {0: "all_but_last:1", 2: "all_but_lats:2", 3: "backbone", 4: "regex:."}
    with pytest.raises(ValueError, match="Received for Functional") as error:
        fit(classifier, batch, schedule, 5)
    for part in (
        r"epoch 2: Expected a policy of .*'all_but_lats:2'",
        r"epoch 3: 'backbone' freezes .*transformer_layer_1/.* \(18 in all\)",
        r"epoch 4: 'regex:\.' freezes all weights",
    ):
        assert re.search(part, str(error.value)), part
    for weight, was in zip(classifier.weights, before, strict=True):
        np.testing.assert_array_equal(value(weight), was)


class KeepsDict(keras.optimizers.SGD):
    """Keeps its slots by name."""

    def build(self, variables):
        super().build(variables)
        self.by_name = {v.path: self.add_variable_from_reference(v) for v in variables}


def test_an_optimizer_of_another_kind_is_refused_before_training():
    model, data = linear(KeepsDict(0.1))
    with pytest.raises(ValueError, match=r"Received: KeepsDict with \['.*_var'\]"):
        fit(model, data, BELOW_LATER, 2)


@pytest.mark.parametrize(
    ("schedule", "error", "message"),
    [
        ("backbone", TypeError, r"Received: 'backbone' \(str\)"),
        (3, TypeError, r"Received: 3 \(int\)"),
        ([], ValueError, r"Received the epochs \[\]"),
        ({1: "nothing"}, ValueError, r"Received the epochs \[1\]"),
        ({0: "backbone", -1: "nothing"}, ValueError, r"epochs \[0, -1\]"),
        ({0: "backbone", 1.5: "nothing"}, ValueError, r"epochs \[0, 1.5\]"),
        ({0: "backbone", "1": "nothing"}, ValueError, r"epochs \[0, '1'\]"),
    ],
)
def test_schedules_that_are_none_are_refused(schedule, error, message):
    with pytest.raises(error, match=message):
        GradualUnfreezing(schedule)


def test_policies_hold_until_the_next_one():
    unfreezing = GradualUnfreezing({3: "nothing", 0: "backbone"})
    policies = [unfreezing.policy_at(epoch) for epoch in range(5)]
    assert policies == ["backbone"] * 3 + ["nothing"] * 2


def test_a_model_that_is_not_compiled_is_told_and_left_as_it_is(classifier):
    model = keras.Model(classifier.inputs, classifier.outputs, name="new")
    with pytest.raises(ValueError, match="compiled .*'new' with compiled=False"):
        GradualUnfreezing(SCHEDULE).apply(model, 0)
    assert all(weight.trainable for weight in model.weights)
