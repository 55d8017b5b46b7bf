"""What callbacks remember from one epoch to the next.

A callback of ours that remembers something has `get_state()`, which returns a dict of
JSON's types, and `set_state(state)`. Those of Keras have neither; what they remember
has public names, which are used here alone.
"""

import keras

from kftune.training.model_state import from_raw

_WEIGHTS = "best_weights"
_ATTRIBUTES = {
    keras.callbacks.EarlyStopping: ["best", "best_epoch", "wait", "stopped_epoch"],
    keras.callbacks.ReduceLROnPlateau: ["best", "wait", "cooldown_counter"],
    keras.callbacks.ModelCheckpoint: ["best"],
}


def get_callback_states(callbacks):
    """Reads what callbacks remember.

    Args:
        callbacks: sequence of `keras.callbacks.Callback`.

    Returns:
        List of pairs, the name of a class and a dict of JSON's types, one for each
        callback that remembers something, and a dict of str to NumPy array, the weights
        that `EarlyStopping(restore_best_weights=True)` keeps.
    """
    states, arrays = [], {}
    for number, callback in enumerate(_remembering(callbacks)):
        if hasattr(callback, "get_state"):
            state = callback.get_state()
        else:
            state = {n: _plain(getattr(callback, n)) for n in _attributes(callback)}
        if (weights := getattr(callback, _WEIGHTS, None)) is not None:
            state[_WEIGHTS] = [weight.dtype.name for weight in weights]
            arrays.update(_numbered(number, weights))
        states.append([type(callback).__name__, state])
    return states, arrays


def set_callback_states(callbacks, states, arrays):
    """Makes callbacks remember what they did.

    Args:
        callbacks: sequence of `keras.callbacks.Callback`, after their `on_train_begin`.
        states: list that `get_callback_states` returned, also after it was JSON.
        arrays: mapping of str to NumPy array, with those it returned among them.

    Raises:
        ValueError: if other callbacks remember something than did then.
    """
    callbacks = _remembering(callbacks)
    names = [type(callback).__name__ for callback in callbacks]
    saved = [name for name, _ in states]
    if names != saved:
        raise ValueError(
            "Expected the callbacks of the run that goes on, in their order: "
            f"{saved}. Received: {names}"
        )
    for number, (callback, (_, state)) in enumerate(
        zip(callbacks, states, strict=True)
    ):
        if hasattr(callback, "set_state"):
            callback.set_state(state)
            continue
        if _WEIGHTS in state:
            weights = _numbered(number, state[_WEIGHTS])
            state[_WEIGHTS] = [from_raw(arrays[n], d) for n, d in weights.items()]
        for name, value in state.items():
            setattr(callback, name, value)


def check_callbacks(callbacks):
    """Refuses callbacks whose memory cannot be kept.

    Args:
        callbacks: sequence of `keras.callbacks.Callback`.

    Raises:
        ValueError: if one of them is `SwapEMAWeights(swap_on_epoch=True)`, which has
            weights and averages swapped when a checkpoint is written, and no public
            name for it; or `ModelCheckpoint` that counts batches, for the same reason.
    """
    for callback in callbacks:
        saves = isinstance(callback, keras.callbacks.ModelCheckpoint)
        if saves and callback.save_freq != "epoch":
            raise ValueError(
                "Expected ModelCheckpoint(save_freq='epoch'), as its count of batches "
                f"is not kept for a run that goes on. Received: {callback.save_freq!r}"
            )
        swaps = isinstance(callback, keras.callbacks.SwapEMAWeights)
        if swaps and callback.swap_on_epoch:
            raise ValueError(
                "Expected callbacks that leave the weights as they are trained when an "
                "epoch ends. Received: SwapEMAWeights(swap_on_epoch=True)"
            )


def _remembering(callbacks):
    return [c for c in callbacks if hasattr(c, "get_state") or _attributes(c)]


def _attributes(callback):
    for kind, names in _ATTRIBUTES.items():
        if isinstance(callback, kind):
            return names
    return []


def _numbered(callback, values):
    return {f"callback/{callback}/{number}": v for number, v in enumerate(values)}


def _plain(value):
    """Scores come as numbers of Python, NumPy or the backend."""
    if value is None or isinstance(value, int):
        return value
    return float(value)
