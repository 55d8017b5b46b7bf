"""One file of weights out of several: the mean of each weight."""

import contextlib
from pathlib import Path

import h5py
import ml_dtypes

from kftune.error_text import first_few
from kftune.files import write_aside

_SUFFIX = ".weights.h5"
_OPTIMIZER = "optimizer/"


def average_weights(files, path):
    """Averages the weights of one model at several moments of its training.

    The mean of the last few epochs mostly translates better than any of them (Vaswani
    et al. 2017, section 6.1, https://arxiv.org/abs/1706.03762). Floats are averaged,
    in float64; anything else, and the optimizer, is as in the last file.

    Args:
        files: sequence of `str` or `Path`, one or more files that
            `keras.Model.save_weights` or `ModelCheckpoint` wrote: `.weights.h5`.
        path: `str` or `Path` of the file to write, `.weights.h5`. It appears whole or
            not at all.

    Returns:
        `Path` of that file.

    Raises:
        FileNotFoundError: if a file is missing; names all that are.
        ValueError: if there are no files or a name ends otherwise, if the files hold
            other weights or shapes than the last one (names them), quantised weights,
            or data that lies in another file.

    Example:
    ```python
    epochs = sorted(Path("runs/de/epochs").glob("*.weights.h5"))
    task.load_weights(average_weights(epochs[-5:], "runs/de/average.weights.h5"))
    ```
    """
    files, path = [Path(file) for file in files], Path(path)
    _check_files(files, path)
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(_open(file)) for file in files]
        weights = [_weights(file) for file in opened]
        _check_alike(weights, files)
        aside = stack.enter_context(write_aside(path))
        with h5py.File(aside, "w") as target:
            _copy_groups(opened[-1], target)
            for name in weights[-1]:
                sources = weights if _is_of_model(name) else weights[-1:]
                _write_mean(target, name, [source[name] for source in sources])
    return path


def _check_files(files, path):
    wrong = [str(p) for p in (*files, path) if not p.name.endswith(_SUFFIX)]
    if not files or wrong:
        raise ValueError(
            f"Expected one or more files, and a path, that end in {_SUFFIX}. Received: "
            f"{len(files)} files; with another ending: {first_few(wrong)}"
        )
    if missing := [str(file) for file in files if not file.is_file()]:
        raise FileNotFoundError(
            f"Expected files of weights. Missing: {first_few(missing)}"
        )


def _open(file):
    try:
        return h5py.File(file, "r")
    except OSError as error:
        raise ValueError(f"{file}: expected HDF5. Received: {error}") from error


def _weights(file):
    """All datasets of a file by path; what lies elsewhere is refused."""
    found, groups = {}, [file]

    def note(name, item):
        if isinstance(item, h5py.Group):
            groups.append(item)
        else:
            found[name] = item

    file.visititems(note)
    elsewhere = [
        f"{group.name.strip('/')}/{name}"
        for group in groups
        for name in group
        if not isinstance(group.get(name, getlink=True), h5py.HardLink)
    ]
    elsewhere += [name for name, w in found.items() if w.external or w.is_virtual]
    if elsewhere:
        raise ValueError(
            f"{file.filename}: expected all weights to lie in the file itself. "
            f"Received links to elsewhere: {first_few(elsewhere)}"
        )
    return found


def _check_alike(weights, files):
    """All but the optimizer must be in each file, in one shape, as floats or alike."""
    wrong = []
    last = {name: w for name, w in weights[-1].items() if _is_of_model(name)}
    for file, each in zip(files, weights, strict=True):
        names = {name for name in each if _is_of_model(name)}
        for name in sorted(names | last.keys()):
            shapes = [w[name].shape if name in w else "none" for w in (last, each)]
            if shapes[0] != shapes[1]:
                wrong.append(f"{file}: {name} {shapes[1]}, not {shapes[0]}")
            elif each[name].dtype.itemsize == 1:  # int8, packed int4, float8
                wrong.append(f"{file}: {name} is quantised to {each[name].dtype}")
    if wrong:
        raise ValueError(
            f"Expected files of one model, with the weights of {files[-1]}, not "
            f"quantised. Received: {first_few(wrong, most=30, show=str)}"
        )


def _is_of_model(name):
    return not name.startswith(_OPTIMIZER)


def _copy_groups(source, target):
    """Makes the groups of a file, with what Keras notes at them."""

    def visit(name, item):
        if isinstance(item, h5py.Group):
            target.require_group(name).attrs.update(item.attrs)

    source.visititems(visit)


def _write_mean(target, name, datasets):
    """Writes one weight as Keras does, bfloat16 with a mark."""
    last = _numbers(datasets[-1])
    is_float = last.dtype.kind == "f" or last.dtype == ml_dtypes.bfloat16
    if is_float:
        total = sum(_numbers(each).astype("float64") for each in datasets)
        last = (total / len(datasets)).astype(last.dtype)
    written = target.create_dataset(name, data=last)
    written.attrs.update(datasets[-1].attrs)


def _numbers(dataset):
    """A weight as an array; HDF5 has no bfloat16, but two bytes with a mark."""
    if dataset.attrs.get("dtype") == "bfloat16":
        return dataset[()].view(ml_dtypes.bfloat16)
    return dataset[()]
