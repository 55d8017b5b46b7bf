"""The state of an optimizer: what it wraps, and its slots, weight by weight.

Keras tells by no public name which slot belongs to which weight. Its optimizers keep
them in lists in the order of the weights that they were built with, and its guide to
custom optimizers asks for the same. The private names for that are used here alone.
"""

import keras


def optimizer_parts(optimizer: keras.Optimizer) -> list[keras.Optimizer]:
    """Lists an optimizer and all that it wraps, itself first.

    Args:
        optimizer: any optimizer, such as a `LossScaleOptimizer` or `MultiOptimizer`.

    Returns:
        The optimizers, each before those that it wraps.
    """
    inner = getattr(optimizer, "inner_optimizer", None)
    wrapped = [inner] if inner is not None else getattr(optimizer, "optimizers", [])
    return [optimizer, *(part for each in wrapped for part in optimizer_parts(each))]


def carry_state(old: keras.Optimizer, new: keras.Optimizer) -> None:
    """Copies the state of an optimizer to one that was built with other weights.

    Args:
        old: optimizer; what it keeps for weights that `new` does not train is dropped.
        new: built optimizer of the same settings. What it keeps for weights that `old`
            did not train stays as it is. The step count and other numbers that belong
            to no weight are copied, too.

    Raises:
        ValueError: if an optimizer keeps slots in another way than those of Keras do.
    """
    targets = _state(new)
    for key, variable in _state(old).items():
        if key in targets:
            targets[key].assign(variable)


def check_state_can_be_carried(
    optimizer: keras.Optimizer, weights: list[keras.Variable]
) -> None:
    """Builds an optimizer with a weight and looks whether its slots are understood.

    Args:
        optimizer: optimizer that is not built yet and not needed afterwards.
        weights: trainable weights of a model.

    Raises:
        ValueError: if it keeps slots in another way than the optimizers of Keras do.
    """
    optimizer.build(weights[:1])
    _state(optimizer)


def start_averages(optimizer: keras.Optimizer) -> None:
    """Starts moving averages at the weights, in an optimizer and all that it wraps.

    Keras does so at step 0 only; at a later step it would average with zeros and
    then write that over the weights.

    Args:
        optimizer: built optimizer.
    """
    for part in optimizer_parts(optimizer):
        if not (part.use_ema and part.built):
            continue
        averages = part._model_variables_moving_average
        for weight, average in zip(part._trainable_variables, averages, strict=True):
            if average is not None:
                # A copy, as JAX may not give one buffer to a train step twice.
                average.assign(keras.ops.copy(weight))


def _state(optimizer):
    """Each variable by the part that has it, its name there, and its weight."""
    state = {}
    for number, part in enumerate(optimizer_parts(optimizer)):
        for name, value in vars(part).items():
            if isinstance(value, keras.Variable):
                state[number, name] = value
        for name, weight, slot in _slots(part):
            state[number, name, id(weight)] = slot
    found = {id(variable) for variable in state.values()}
    missed = [v.path for v in optimizer.variables if id(v) not in found]
    if missed:
        raise ValueError(
            "Expected an optimizer that keeps its slots as those of Keras do, in lists "
            "in the order of the weights. Received: "
            f"{type(optimizer).__name__} with {missed}, which are in no such list."
        )
    return state


def _slots(part):
    """Each slot with its weight and the name of the list that it is in."""
    weights = part._trainable_variables
    for name, slots in vars(part).items():
        is_list = isinstance(slots, list) and name != "_variables"
        if is_list and len(slots) == len(weights):
            for weight, slot in zip(weights, slots, strict=True):
                if isinstance(slot, keras.Variable) and slot is not weight:
                    yield name, weight, slot
