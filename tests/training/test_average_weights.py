import h5py
import keras
import numpy as np
import pytest

from kftune.training.average_weights import average_weights


def make_model(units=3, dtype=None):
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(units, dtype=dtype),
            keras.layers.Dropout(0.5),
            keras.layers.BatchNormalization(dtype=dtype),
        ]
    )
    model.compile("adam", "mse")
    return model


def save_some(folder, count=3, dtype=None):
    """Files of random weights, and these weights by file."""
    rng = np.random.default_rng(0)
    files, weights = [], []
    model = make_model(dtype=dtype)
    for index in range(count):
        for weight in model.weights:
            if "float" in weight.dtype:
                weight.assign(rng.normal(size=weight.shape))
        weights.append([np.asarray(w, "float64") for w in model.get_weights()])
        files.append(folder / f"{index}.weights.h5")
        model.save_weights(files[-1])
    return files, weights


@pytest.mark.backend
def test_each_weight_is_the_mean(tmp_path):
    files, weights = save_some(tmp_path)
    path = average_weights(files, tmp_path / "new" / "mean.weights.h5")
    model = make_model()
    model.load_weights(path)
    expected = [np.mean(each, axis=0) for each in zip(*weights, strict=True)]
    for received, mean, last in zip(
        model.get_weights(), expected, weights[-1], strict=True
    ):
        np.testing.assert_allclose(received, mean, rtol=1e-6)
        assert np.abs(mean - last).max() > 0.1


def test_what_is_no_float_is_the_last_ones(tmp_path):
    files, _ = save_some(tmp_path)
    name = "layers/table/vars/0"
    for number, path in enumerate(files):
        with h5py.File(path, "a") as file:
            file[name] = np.array([number, 7])
    with h5py.File(average_weights(files, tmp_path / "mean.weights.h5")) as file:
        np.testing.assert_array_equal(file[name], [2, 7])


def test_one_file_comes_back_as_it_was(tmp_path):
    files, _ = save_some(tmp_path, count=1)
    path = average_weights(files, tmp_path / "same.weights.h5")
    with h5py.File(files[0]) as before, h5py.File(path) as after:
        pairs = []
        for file in (before, after):
            found = {}
            file.visititems(
                lambda name, item, found=found: found.update(
                    {name: (dict(item.attrs), getattr(item, "dtype", None))}
                )
            )
            pairs.append(found)
        assert pairs[0] == pairs[1]


def test_a_trained_optimizer_is_the_last_ones(tmp_path):
    model, files = make_model(), []
    for index in range(2):
        model.fit(np.ones((4, 2)), np.ones((4, 3)), epochs=index + 1, verbose=0)
        files.append(tmp_path / f"{index}.weights.h5")
        model.save_weights(files[-1])
    path = average_weights(files, tmp_path / "mean.weights.h5")
    expected = [np.asarray(v) for v in model.optimizer.variables]
    model.fit(np.zeros((4, 2)), np.ones((4, 3)), verbose=0)
    model.load_weights(path)
    for variable, last in zip(model.optimizer.variables, expected, strict=True):
        np.testing.assert_array_equal(variable, last)


def test_bfloat16_is_averaged_in_more_digits(tmp_path):
    files, weights = save_some(tmp_path, dtype="bfloat16")
    path = average_weights(files, tmp_path / "mean.weights.h5")
    model = make_model(dtype="bfloat16")
    model.load_weights(path)
    received = np.asarray(model.layers[0].kernel, "float64")
    mean = np.mean([each[0] for each in weights], axis=0)
    np.testing.assert_allclose(received, mean, rtol=2**-8)


def test_other_shapes_are_refused_all_at_once_and_nothing_is_written(tmp_path):
    files, _ = save_some(tmp_path)
    other = tmp_path / "other.weights.h5"
    make_model(units=4).save_weights(other)
    with pytest.raises(ValueError) as error:
        average_weights([other, *files], tmp_path / "mean.weights.h5")
    message = str(error.value)
    assert f"{other}: layers/dense/vars/0 (2, 4), not (2, 3)" in message
    assert f"{other}: layers/dense/vars/1 (4,), not (3,)" in message
    assert message.count(", not (") == 6 and str(files[0]) not in message
    assert sorted(tmp_path.iterdir()) == [*files, other]


def test_missing_weights_are_refused(tmp_path):
    files, _ = save_some(tmp_path)
    with h5py.File(files[0], "a") as file:
        file.move("layers/dense/vars/1", "layers/dense/vars/2")
    with pytest.raises(ValueError, match=r"vars/1 none, not \(3,\).*vars/2 \(3,\), no"):
        average_weights(files, tmp_path / "mean.weights.h5")


def test_quantised_weights_are_refused(tmp_path):
    model = make_model()
    model.quantize("int8")
    file = tmp_path / "a.weights.h5"
    model.save_weights(file)
    with pytest.raises(ValueError, match="vars/0 is quantised to int8"):
        average_weights([file], tmp_path / "mean.weights.h5")


@pytest.mark.parametrize("kind", ["external", "soft", "raw", "virtual"])
def test_links_out_of_the_file_are_refused(tmp_path, kind):
    files, _ = save_some(tmp_path, count=2)
    name = "layers/dense/vars/0"
    with h5py.File(files[1], "a") as file:
        del file[name]
        if kind == "external":
            file[name] = h5py.ExternalLink(str(files[0]), name)
        elif kind == "soft":
            file[name] = h5py.SoftLink("/layers/dense/vars/1")
        elif kind == "raw":
            raw = [(str(files[0]), 0, 24)]
            file.create_dataset(name, (2, 3), "float32", external=raw)
        else:
            layout = h5py.VirtualLayout((2, 3), "float32")
            layout[:] = h5py.VirtualSource(str(files[0]), name, (2, 3))
            file.create_virtual_dataset(name, layout)
    with pytest.raises(ValueError, match="links to elsewhere: 'layers/dense/vars/0'"):
        average_weights(files, tmp_path / "mean.weights.h5")


def test_files_that_are_none_are_refused(tmp_path):
    files, _ = save_some(tmp_path, count=1)
    target = tmp_path / "mean.weights.h5"
    with pytest.raises(ValueError, match="0 files"):
        average_weights([], target)
    with pytest.raises(ValueError, match="another ending: .*mean.h5"):
        average_weights(files, tmp_path / "mean.h5")
    with pytest.raises(FileNotFoundError, match="Missing: .*9.weights.h5"):
        average_weights([*files, tmp_path / "9.weights.h5"], target)
    broken = tmp_path / "broken.weights.h5"
    broken.write_bytes(b"no HDF5")
    with pytest.raises(ValueError, match="broken.weights.h5: expected HDF5. Received"):
        average_weights([*files, broken], target)
    assert not target.exists()
