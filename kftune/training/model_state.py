"""All variables of a model in training by name, to save and to restore them."""

import keras
import ml_dtypes

from kftune.error_text import first_few


def training_variables(model):
    """Lists what changes while a model trains.

    Of the model the weights and the states of its random generators, layer by layer as
    they are: factors of LoRA stay apart, which `save_weights` would merge. Of the
    optimizer the step count, the slots, moving averages and the learning rate; it is
    built if it is not yet.

    Args:
        model: compiled and built `keras.Model`.

    Returns:
        Dict of str, such as `"model/0"` and `"optimizer/0"`, to `keras.Variable`.
    """
    optimizer = model.optimizer
    if optimizer is not None and not optimizer.built:
        optimizer.build(model.trainable_variables)
    slots = optimizer.variables if optimizer is not None else []
    return {**_numbered("model", model.variables), **_numbered("optimizer", slots)}


def metric_variables(model):
    """Lists the states of losses and metrics, the running means of an epoch.

    Args:
        model: compiled `keras.Model`.

    Returns:
        Dict of str, such as `"metrics/0"`, to `keras.Variable`.
    """
    return _numbered("metrics", model.metrics_variables)


def to_arrays(variables):
    """Copies variables.

    Args:
        variables: dict of str to `keras.Variable`.

    Returns:
        Dict of str to NumPy array.
    """
    return {name: keras.ops.convert_to_numpy(v) for name, v in variables.items()}


def describe(variables):
    """Tells what variables there are, for `load_arrays` to compare.

    Args:
        variables: dict of str to `keras.Variable`.

    Returns:
        Dict of str to a list, path, shape and dtype.
    """
    return {name: [v.path, list(v.shape), v.dtype] for name, v in variables.items()}


def load_arrays(variables, arrays, described):
    """Gives variables the values that `to_arrays` copied.

    Args:
        variables: dict of str to `keras.Variable`.
        arrays: mapping of str to NumPy array; more of them are left alone.
        described: dict, what `describe` told of those that were copied.

    Raises:
        ValueError: if there are other variables now, of which none is changed then;
            names them.
    """
    _check_alike(describe(variables), described)
    for name, variable in variables.items():
        variable.assign(from_raw(arrays[name], variable.dtype))


def from_raw(array, dtype):
    """Gives an array of a `.npz` file its dtype if NumPy does not know that.

    Args:
        array: NumPy array; bfloat16 and the like are raw bytes, of a dtype `V`.
        dtype: str, which it had when it was saved.

    Returns:
        NumPy array.
    """
    is_raw = array.dtype.kind == "V"
    return array.view(getattr(ml_dtypes, dtype)) if is_raw else array


def _numbered(group, variables):
    return {f"{group}/{number}": v for number, v in enumerate(variables)}


def _check_alike(ours, saved):
    """Paths may differ: Keras numbers layers by how many a process has made."""
    wrong = [
        f"{name}: {saved.get(name, 'nothing')} was saved, the model has "
        f"{ours.get(name, 'nothing')}"
        for name in sorted(ours.keys() | saved.keys())
        if ours.get(name, [])[1:] != saved.get(name, [])[1:]
    ]
    if wrong:
        raise ValueError(
            "Expected the model that the checkpoint was written of, compiled and "
            f"frozen as it was then. Received another: {first_few(wrong, show=str)}"
        )
