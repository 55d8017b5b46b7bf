import json
import re

import keras
import numpy as np
import pytest

from kftune.training import BestWeights, DataPosition, ScoreCallback
from kftune.training.callback_state import (
    check_callbacks,
    get_callback_states,
    set_callback_states,
)

pytestmark = pytest.mark.backend


def through_files(states, arrays, folder):
    np.savez(folder / "arrays.npz", **arrays)
    return json.loads(json.dumps(states)), np.load(folder / "arrays.npz")


def make_callbacks(folder):
    return [
        DataPosition(None),  # remembers nothing
        ScoreCallback(lambda model: {"bleu": 1.0}, every=3),
        BestWeights(folder / "best.weights.h5", "val_loss", "min"),
        keras.callbacks.EarlyStopping(
            "val_loss", patience=3, restore_best_weights=True
        ),
        keras.callbacks.ReduceLROnPlateau("val_loss", patience=1, cooldown=2),
        keras.callbacks.ModelCheckpoint(
            folder / "{epoch}.weights.h5", save_weights_only=True, save_best_only=True
        ),
    ]


def make_list(callbacks, dtype="float32"):
    """Callbacks at the beginning of the training of a small model."""
    keras.utils.set_random_seed(0)
    layer = keras.layers.Dense(1, use_bias=False, dtype=dtype)
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(keras.optimizers.SGD(0.5), "mse", jit_compile=False)
    callbacks = keras.callbacks.CallbackList(callbacks[1:], model=model, epochs=9)
    callbacks.on_train_begin()
    return callbacks


def end_epochs(callbacks, losses, first=0):
    """What the callbacks have done after each epoch: the rate, and whether to stop."""
    done, model = [], callbacks.model
    for epoch, loss in enumerate(losses, first):
        model.layers[0].kernel.assign([[epoch]])
        callbacks.on_epoch_end(epoch, {"loss": loss, "val_loss": loss})
        rate = keras.ops.convert_to_numpy(model.optimizer.learning_rate)
        done.append((float(rate), model.stop_training))
    return done


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_callbacks_go_on_as_if_they_had_not_been_stopped(dtype, tmp_path):
    losses = [3.0, 2.0, 2.5, 2.2, 2.1, 2.4]
    whole = make_list(make_callbacks(tmp_path), dtype)
    expected = end_epochs(whole, losses)
    assert [stopped for _, stopped in expected] == [False] * 4 + [True] * 2
    assert len({rate for rate, _ in expected}) == 3
    whole.on_train_end()

    callbacks = make_callbacks(tmp_path)
    end_epochs(make_list(callbacks, dtype), losses[:3])
    saved = through_files(*get_callback_states(callbacks), tmp_path)
    resumed = make_callbacks(tmp_path)
    goes_on = make_list(resumed, dtype)
    # RunCheckpoint restores the optimizer.
    goes_on.model.optimizer.learning_rate = expected[2][0]
    set_callback_states(resumed, *saved)
    assert end_epochs(goes_on, losses[3:], first=3) == expected[3:]
    goes_on.on_train_end()
    kernels = [float(each.model.layers[0].kernel[0, 0]) for each in (whole, goes_on)]
    assert kernels == [1.0, 1.0]


def test_states_are_named_by_their_callbacks(tmp_path):
    callbacks = make_callbacks(tmp_path)
    end_epochs(make_list(callbacks), [3.0, 2.0, 2.5])
    states, arrays = get_callback_states(callbacks)
    assert dict(states) == {
        "ScoreCallback": {"scores": {"val_bleu": 1.0}},
        "BestWeights": {"best": 2.0},
        "EarlyStopping": {
            **{"best": 2.0, "best_epoch": 1, "wait": 1, "stopped_epoch": 0},
            "best_weights": [np.dtype("float32").name],
        },
        "ReduceLROnPlateau": {"best": 2.0, "wait": 0, "cooldown_counter": 2},
        "ModelCheckpoint": {"best": 2.0},
    }
    assert list(arrays) == ["callback/2/0"]
    np.testing.assert_array_equal(arrays["callback/2/0"], [[1]])


def test_other_callbacks_are_refused(tmp_path):
    callbacks = make_callbacks(tmp_path)
    make_list(callbacks)
    states, arrays = get_callback_states(callbacks)
    message = re.escape("'ModelCheckpoint']. Received: ['EarlyStopping']")
    with pytest.raises(ValueError, match=message):
        set_callback_states(callbacks[3:4], states, arrays)
    set_callback_states(callbacks[1:], states, arrays)


def test_swapped_averages_are_refused():
    check_callbacks([keras.callbacks.SwapEMAWeights()])
    with pytest.raises(ValueError, match="Received: SwapEMAWeights"):
        check_callbacks([keras.callbacks.SwapEMAWeights(swap_on_epoch=True)])


def test_a_checkpoint_that_counts_batches_is_refused(tmp_path):
    path = tmp_path / "a.weights.h5"
    check_callbacks([keras.callbacks.ModelCheckpoint(path, save_weights_only=True)])
    counting = keras.callbacks.ModelCheckpoint(
        path, save_weights_only=True, save_freq=3
    )
    with pytest.raises(ValueError, match="save_freq='epoch'.*Received: 3"):
        check_callbacks([counting])
