"""`GradualUnfreezing` in `fit_run`: length buckets, and a run that is stopped."""

import keras
import numpy as np
import pytest
from dropout_run import LENGTHS, ROWS, StoppedError, Stopping, state_of

from kftune.data import LengthBucketed
from kftune.training import fit_run, open_run
from kftune.tuning import GradualUnfreezing

pytestmark = pytest.mark.backend

SCHEDULE = {0: "regex:tokens|below", 2: "regex:tokens", 4: "nothing"}


def make_model():
    """A sum of embeddings in two dense layers; the length can be read from it."""
    keras.utils.set_random_seed(0)
    inputs = {
        "token_ids": keras.Input((None,), dtype="int32", name="token_ids"),
        "padding_mask": keras.Input((None,), dtype="bool", name="padding_mask"),
    }
    embedded = keras.layers.Embedding(6, 4, name="tokens")(inputs["token_ids"])
    mask = keras.ops.expand_dims(keras.ops.cast(inputs["padding_mask"], "float32"), -1)
    states = keras.ops.sum(embedded * mask, axis=1)
    states = keras.layers.Dense(4, name="below")(states)
    model = keras.Model(inputs, keras.layers.Dense(1, name="head")(states))
    # Tracing would take longer than the few steps.
    eagerly = keras.config.backend() == "tensorflow"
    model.compile(keras.optimizers.Adam(0.01), "mse", run_eagerly=eagerly)
    return model


def run(folder, stop=(None, None)):
    """The state of the model at the end, and what each epoch logged."""
    model = make_model()
    train = LengthBucketed(ROWS, LENGTHS, batch_size=6)
    validation = LengthBucketed(ROWS, LENGTHS, batch_size=6, shuffle=False)
    open_run(folder, {})
    history, _ = fit_run(
        model,
        train,
        validation,
        folder,
        epochs=6,
        monitor="val_loss",
        mode="min",
        patience=6,
        callbacks=[GradualUnfreezing(SCHEDULE), Stopping(*stop)],
        save_freq=2,
    )
    assert history.epoch == list(range(6))
    return state_of(model), history.history


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    state, history = run(tmp_path_factory.mktemp("whole"))
    # The last policy trains all, as the number of Adam's slots shows.
    slots = [name for name in state if name.startswith("optimizer")]
    assert len(slots) == 2 + 2 * len(make_model().weights)
    return state, history


@pytest.mark.long
@pytest.mark.parametrize("stop", [(2, "begin"), (2, 3), (3, "end")])
def test_a_stopped_run_ends_as_an_unbroken_one(whole, stop, tmp_path):
    """Stopped when something was to be unfrozen, after that, and in between."""
    with pytest.raises(StoppedError):
        run(tmp_path, stop)
    resumed = run(tmp_path)
    for expected, received in zip(whole, resumed, strict=True):
        assert expected.keys() == received.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(received[name], value, name)
    start = state_of(make_model())
    for name in start:
        if name.startswith("model"):
            assert not np.array_equal(resumed[0][name], start[name])
