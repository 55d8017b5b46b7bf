import os

import keras
import numpy as np
import pytest

from kftune.training import BestWeights, load_best_weights

pytestmark = pytest.mark.backend


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])


def end_epochs(path, model, scores, mode="max"):
    """The epoch whose weights are in the file after each epoch."""
    best, found = BestWeights(path, "score", mode), []
    best.set_model(model)
    best.on_train_begin()
    for epoch, score in enumerate(scores):
        model.layers[0].kernel.assign([[epoch]])
        best.on_epoch_end(epoch, {"score": score})
        model.load_weights(path)
        found.append(int(model.layers[0].kernel[0, 0]))
    return found


@pytest.mark.parametrize(
    ("mode", "scores", "expected"),
    [
        ("max", [1, 3, 2, 3, 4], [0, 1, 1, 1, 4]),
        ("min", [1, 3, 0.5, 0.5], [0, 0, 2, 2]),
        ("max", [np.nan, np.nan, 1, np.nan, 2], [0, 0, 2, 2, 4]),
        ("min", [np.nan, 5.0, 7.0], [0, 1, 1]),
    ],
)
def test_the_first_of_the_best_epochs_is_kept(model, mode, scores, expected, tmp_path):
    path = tmp_path / "best {loss}.weights.h5"
    assert end_epochs(path, model, scores, mode) == expected
    assert os.listdir(tmp_path) == [path.name]


def test_an_error_while_it_writes_leaves_the_old_ones(model, tmp_path, monkeypatch):
    path = tmp_path / "best.weights.h5"
    end_epochs(path, model, [1])

    def fail(path):
        path.write_text("half of the wei")
        raise OSError("Unable to write (errno = 28, error message = 'No space left')")

    monkeypatch.setattr(model, "save_weights", fail)
    with pytest.raises(OSError, match=r"best\.weights\.h5\. .* make room"):
        end_epochs(path, model, [1])
    assert os.listdir(tmp_path) == [path.name]
    model.load_weights(path)


def test_the_weights_reach_the_disk_before_they_are_named(model, tmp_path, monkeypatch):
    path, synced = tmp_path / "best.weights.h5", []
    monkeypatch.setattr("os.fsync", lambda file: synced.append(path.exists()))
    assert end_epochs(path, model, [1.0]) == [0]
    assert synced == [False] and path.exists()


def test_the_entry_must_be_in_the_logs(model, tmp_path):
    best = BestWeights(tmp_path / "best.weights.h5", "val_bleu", "max")
    best.set_model(model)
    with pytest.raises(ValueError, match=r"among .*\['loss'\].*: 'val_bleu'"):
        best.on_epoch_end(0, {"loss": 1.0})


def test_mode_must_be_known(tmp_path):
    with pytest.raises(ValueError, match="Received: 'auto'"):
        BestWeights(tmp_path / "best.weights.h5", "loss", "auto")


def test_lora_factors_stay_apart(tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    (layer,) = model.layers
    layer.enable_lora(1)
    layer.lora_kernel_b.assign([[1.0, -2.0]])
    path, best = (
        tmp_path / "best.weights.h5",
        BestWeights(tmp_path / "best.weights.h5", "score", "max"),
    )
    best.set_model(model)
    best.on_epoch_end(0, {"score": 1})
    kept = [keras.ops.convert_to_numpy(v) for v in layer.variables]
    for variable in layer.variables:
        variable.assign(variable + 1)
    load_best_weights(model, path)
    for variable, expected in zip(layer.variables, kept, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), expected)
    plain = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    plain.load_weights(path)  # the weights alone are those of the whole model
    x = np.ones((1, 3), "float32")
    np.testing.assert_allclose(
        plain.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6
    )
