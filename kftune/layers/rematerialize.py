"""Recomputes activations in the backward pass instead of keeping them."""

import keras

from kftune.layers.read_value import read_value


def rematerialize(layer, function, *inputs):
    """Calls `function(*inputs)` so that only its inputs are kept for the backward pass.

    `keras.remat` alone draws other dropout masks when it computes again, and on JAX
    leaks the state of the seeds. Here the variables of `layer` go in as values and
    those that changed come out.

    Args:
        layer: built `keras.layers.Layer`, all of whose variables `function` may read.
        function: takes float tensors and returns one.
        *inputs: float tensors. Whatever else `function` sees gets no gradient.

    Returns:
        What `function` returns.
    """
    trained, other = layer.trainable_variables, layer.non_trainable_variables
    other_values = [read_value(variable) for variable in other]
    changed = []

    def pure(*tensors):
        values = [*tensors[len(inputs) :], *other_values]
        state = zip([*trained, *other], values, strict=True)
        with keras.StatelessScope(state_mapping=state) as scope:
            before = [scope.get_current_value(variable) for variable in other]
            output = function(*tensors[: len(inputs)])
            after = [scope.get_current_value(variable) for variable in other]
        updates = zip(other, before, after, strict=True)
        updates = [(variable, new) for variable, old, new in updates if new is not old]
        changed[:] = [variable for variable, _ in updates]
        return output, [value for _, value in updates]

    values = [read_value(variable) for variable in trained]
    output, updates = keras.remat(pure)(*inputs, *values)
    for variable, value in zip(changed, updates, strict=True):
        variable.assign(value)
    return output
